import { CurrentCaller } from '@malipo/kit/http/access'
import { decodeCursor } from '@malipo/kit/http/page'
import { Database } from '@malipo/kit/postgres/database'
import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Res,
} from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { idOf } from '../payments/payment.view.js'
import { MODE } from '../webhooks/webhooks.controller.js'
import { attemptView } from './attempt.view.js'
import {
  CancelDocs,
  ConfirmDocs,
  GetDocs,
  ListDocs,
  QueryDocs,
  ResolveDocs,
} from './attempts.docs.js'
import { ListAttemptsDto } from './attempts.dto.js'
import { listAttempts } from './attempts.list.js'
import { messageView } from './message.view.js'
import { OperatorAttempts } from './operator-attempts.service.js'
import { proposalView } from './proposal.view.js'
import { resolutionOf } from './resolution.js'
import { Resolutions } from './resolutions.service.js'
import { ResolveDto } from './resolve.dto.js'

const PATH = '/api/attempts'

@ApiTags('operators')
@Controller('api/attempts')
export class AttemptsController {
  constructor(
    private readonly attempts: OperatorAttempts,
    private readonly resolutions: Resolutions,
    @Inject(Database) private readonly database: Database,
    @Inject(MODE) private readonly mode: 'sandbox' | 'live',
  ) {}

  @Get()
  @NeedsScope('payments:admin')
  @ListDocs()
  async list(@Query() query: ListAttemptsDto) {
    const { attention, payment, cursor, ...rest } = query
    const page = await listAttempts(this.database, {
      ...rest,
      attention: attention === undefined ? undefined : attention === 'true',
      paymentId: payment && idOf(payment),
      after: cursor ? decodeCursor(cursor) : undefined,
    })
    return { data: page.data.map(attemptView), nextCursor: page.nextCursor }
  }

  @Get(':id')
  @NeedsScope('payments:admin')
  @GetDocs()
  async get(@Param('id') id: string) {
    const { attempt, messages, proposals, ...rest } = await this.attempts.detail(id)
    return {
      ...attemptView(attempt),
      ...rest,
      messages: messages.map(messageView),
      proposals: proposals.map(proposalView),
    }
  }

  @Post(':id/query')
  @HttpCode(202)
  @NeedsScope('payments:admin')
  @QueryDocs()
  async query(@CurrentCaller() caller: Caller, @Param('id') id: string) {
    return attemptView(await this.attempts.query(caller, id))
  }

  @Post(':id/resolve')
  @HttpCode(200)
  @NeedsScope('payments:admin')
  @ResolveDocs()
  async resolve(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Body() body: ResolveDto,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const resolution = resolutionOf(body)
    const version = body.version ?? undefined
    if (this.mode === 'sandbox') {
      return attemptView(await this.resolutions.resolve(caller, id, resolution, version))
    }
    const proposal = await this.resolutions.propose(caller, id, resolution, version)
    http.code(202).header('location', `${PATH}/${id}/resolve/${proposal.id}`)
    return proposalView(proposal)
  }

  @Post(':id/resolve/:proposalId/confirm')
  @HttpCode(200)
  @NeedsScope('payments:admin')
  @ConfirmDocs()
  async confirm(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Param('proposalId') proposalId: string,
    @Body() body: ResolveDto,
  ) {
    const stated = { resolution: resolutionOf(body), version: body.version ?? undefined }
    return attemptView(await this.resolutions.confirm(caller, id, proposalId, stated))
  }

  @Delete(':id/resolve/:proposalId')
  @HttpCode(204)
  @NeedsScope('payments:admin')
  @CancelDocs()
  async cancel(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Param('proposalId') proposalId: string,
  ): Promise<void> {
    await this.resolutions.cancel(caller, id, proposalId)
  }
}
