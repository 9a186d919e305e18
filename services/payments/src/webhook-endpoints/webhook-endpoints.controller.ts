import { CurrentCaller } from '@malipo/kit/http/access'
import { AnswersSecretOnce } from '@malipo/kit/http/one-time-secret'
import { decodeCursor } from '@malipo/kit/http/page'
import { validationProblem } from '@malipo/kit/http/validation'
import { Database } from '@malipo/kit/postgres/database'
import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  Res,
} from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { conditionOf, etagOf } from '../payments/etag.js'
import { endpointView, type StoredEndpoint } from './endpoint.view.js'
import {
  ChangeDocs,
  CreateDocs,
  DeleteDocs,
  GetDocs,
  ListDocs,
  RotateDocs,
} from './webhook-endpoints.docs.js'
import {
  ChangeEndpointDto,
  CreateEndpointDto,
  ListEndpointsDto,
  RotateSecretDto,
} from './webhook-endpoints.dto.js'
import { listEndpoints } from './webhook-endpoints.list.js'
import { WebhookEndpointsService } from './webhook-endpoints.service.js'

const PATH = '/api/webhook-endpoints'

@ApiTags('webhook endpoints')
@Controller('api/webhook-endpoints')
export class WebhookEndpointsController {
  constructor(
    private readonly endpoints: WebhookEndpointsService,
    @Inject(Database) private readonly database: Database,
  ) {}

  @Post()
  @AnswersSecretOnce()
  @NeedsScope('webhooks:write')
  @CreateDocs()
  async create(
    @CurrentCaller() caller: Caller,
    @Body() body: CreateEndpointDto,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const { endpoint, secret } = await this.endpoints.create(caller, body)
    http.header('location', `${PATH}/${endpoint.id}`)
    return { ...send(endpoint, http), secret }
  }

  @Get()
  @NeedsScope('payments:read', 'webhooks:write')
  @ListDocs()
  async list(@CurrentCaller() { merchant }: Caller, @Query() { limit, cursor }: ListEndpointsDto) {
    const after = cursor ? decodeCursor(cursor) : undefined
    const page = await listEndpoints(this.database, { ownerId: merchant, limit, after })
    return { data: page.data.map(endpointView), nextCursor: page.nextCursor }
  }

  @Get(':id')
  @NeedsScope('payments:read', 'webhooks:write')
  @GetDocs()
  async get(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    return send(await this.endpoints.get(caller, id), http)
  }

  @Patch(':id')
  @NeedsScope('webhooks:write')
  @ChangeDocs()
  async change(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Body() body: ChangeEndpointDto,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const condition = conditionOf(ifMatch)
    if (condition === 'malformed') {
      throw validationProblem([{ field: 'If-Match', message: 'must be an ETag' }])
    }
    return send(await this.endpoints.change(caller, id, body, condition?.versions), http)
  }

  @Delete(':id')
  @HttpCode(204)
  @NeedsScope('webhooks:write')
  @DeleteDocs()
  async delete(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    await this.endpoints.delete(caller, id)
  }

  @Post(':id/rotate-secret')
  @HttpCode(200)
  @AnswersSecretOnce()
  @NeedsScope('webhooks:write')
  @RotateDocs()
  async rotate(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Body() { overlapSeconds }: RotateSecretDto,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const { endpoint, secret } = await this.endpoints.rotate(caller, id, overlapSeconds)
    return { ...send(endpoint, http), secret }
  }
}

function send(endpoint: StoredEndpoint, http: FastifyReply) {
  http.header('etag', etagOf(endpoint.version))
  return endpointView(endpoint)
}
