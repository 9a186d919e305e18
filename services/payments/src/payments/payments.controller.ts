import { CurrentCaller } from '@malipo/kit/http/access'
import { decodeCursor } from '@malipo/kit/http/page'
import { parseTime } from '@malipo/kit/http/time'
import { Database } from '@malipo/kit/postgres/database'
import { validationProblem } from '@malipo/kit/http/validation'
import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Res,
} from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { parseAmount } from '../money/money.js'
import { NeedsScope } from '../caller/caller.guard.js'
import { type Caller, isOperator } from '../caller/scopes.js'
import { REPLAYED } from '../idempotency/idempotency.js'
import { readKey } from '../idempotency/key.js'
import { OperatorActions } from '../operator-actions/operator-actions.service.js'
import { AwaitedPayments } from './awaited-payments.js'
import { conditionOf, etagOf, isKnown, knownVersions } from './etag.js'
import { ChangeStatusDocs, CreateDocs, EventsDocs, GetDocs, ListDocs } from './payments.docs.js'
import {
  ChangeStatusDto,
  CreatePaymentDto,
  GetPaymentDto,
  ListPaymentsDto,
} from './payments.dto.js'
import { listEvents, listPayments } from './payments.list.js'
import { PaymentsService, type Reply, viewerOf } from './payments.service.js'
import { eventView, idOf, paymentView, referenceOf } from './payment.view.js'

const PATH = '/api/payments'
const READERS = ['payments:read', 'payments:admin'] as const

@ApiTags('payments')
@Controller('api/payments')
export class PaymentsController {
  constructor(
    private readonly payments: PaymentsService,
    private readonly awaited: AwaitedPayments,
    @Inject(Database) private readonly database: Database,
    @Inject(OperatorActions) private readonly actions: OperatorActions,
  ) {}

  @Post()
  @NeedsScope('payments:write')
  @CreateDocs()
  async create(
    @CurrentCaller() caller: Caller,
    @Body() body: CreatePaymentDto,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const { amount, description = null, metadata, provider, ...rest } = body
    // `IsAmount` has already rejected amounts that can't be parsed.
    const amountMinor = parseAmount(amount, body.currency) as bigint
    const input = {
      ...rest,
      amountMinor,
      description,
      metadata: metadata ?? {},
      provider: provider ?? undefined,
    }
    const reply = await this.payments.create(caller, input, readKey(key, `POST ${PATH}`, input))
    http.header('location', `${PATH}/${referenceOf(reply.payment.id)}`)
    return send(reply, http)
  }

  @Get()
  @NeedsScope(...READERS)
  @ListDocs()
  async list(@CurrentCaller() caller: Caller, @Query() query: ListPaymentsDto) {
    const { createdFrom, createdTo, cursor, ...fields } = query
    if (isOperator(caller)) await this.recordList(caller, query)
    const page = await listPayments(this.database, viewerOf(caller), {
      ...fields,
      createdFrom: parseTime(createdFrom),
      createdTo: parseTime(createdTo),
      after: cursor ? decodeCursor(cursor) : undefined,
    })
    return { data: page.data.map(paymentView), nextCursor: page.nextCursor }
  }

  @Get(':reference')
  @NeedsScope(...READERS)
  @GetDocs()
  async get(
    @CurrentCaller() caller: Caller,
    @Param('reference') reference: string,
    @Query() { wait }: GetPaymentDto,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const known = knownVersions(ifNoneMatch)
    if (known === 'malformed') throw malformedTag('If-None-Match')
    const read = { caller, scopes: READERS, paymentId: idOf(reference), wait, known }
    const payment = await this.awaited.get(read, http)
    const view = send({ payment }, http)
    if (!isKnown(payment.version, known)) return view
    // A 304 has neither a body nor its media type.
    http.code(304)
    return undefined
  }

  @Get(':reference/events')
  @NeedsScope(...READERS)
  @EventsDocs()
  async events(@CurrentCaller() caller: Caller, @Param('reference') reference: string) {
    const { id } = await this.payments.get(caller, idOf(reference))
    return { data: (await listEvents(this.database, id)).map(eventView) }
  }

  @Post(':reference/status')
  @HttpCode(200)
  @NeedsScope('payments:settle', 'payments:admin')
  @ChangeStatusDocs()
  async changeStatus(
    @CurrentCaller() caller: Caller,
    @Param('reference') reference: string,
    @Body() body: ChangeStatusDto,
    @Headers() headers: Record<string, string | undefined>,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const condition = conditionOf(headers['if-match'])
    if (condition === 'malformed') throw malformedTag('If-Match')
    if (!caller.scopes.has('payments:settle') && !body.reason) {
      throw validationProblem([{ field: 'reason', message: 'is required from an operator' }])
    }
    const change = {
      to: body.status,
      versions: condition?.versions,
      providerTransactionId: body.providerTransactionId ?? undefined,
      reason: body.reason ?? undefined,
    }
    const route = `POST ${PATH}/${reference}/status`
    const key = readKey(headers['idempotency-key'], route, change)
    return send(await this.payments.changeStatus(caller, idOf(reference), change, key), http)
  }

  /** An operator sees the payments of all merchants. The record has no phone number of a payer. */
  private async recordList(caller: Caller, { customerPhone, ...filters }: ListPaymentsDto) {
    const details = { ...filters, hasCustomerPhone: customerPhone !== undefined }
    await this.actions.record({ operator: caller.id, action: 'list_payments', details })
  }
}

function send({ payment, replayed }: Reply, http: FastifyReply) {
  http.header('etag', etagOf(payment.version))
  if (replayed) http.headers(REPLAYED)
  return paymentView(payment)
}

function malformedTag(field: string) {
  return validationProblem([{ field, message: 'must be an ETag' }])
}
