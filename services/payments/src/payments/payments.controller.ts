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
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { keyedBy, REPLAYED } from '../idempotency/idempotency.js'
import { conditionOf, etagOf } from './etag.js'
import { parseAmount } from './money.js'
import { DocsOfCreate, DocsOfEvents, DocsOfGet, DocsOfList, DocsOfMove } from './payments.docs.js'
import { CreatePaymentDto, ListPaymentsDto, MovePaymentDto } from './payments.dto.js'
import { listEvents, listPayments } from './payments.list.js'
import { PaymentsService, readerOf, type Reply } from './payments.service.js'
import { eventView, paymentView } from './payment.view.js'
import { idOf, referenceOf } from './reference.js'

const PATH = '/api/payments'

/** Payments over HTTP: reads the request, has it decided, writes the answer. */
@ApiTags('payments')
@Controller('api/payments')
export class PaymentsController {
  constructor(
    private readonly payments: PaymentsService,
    @Inject(Database) private readonly database: Database,
  ) {}

  @Post()
  @NeedsScope('payments:write')
  @DocsOfCreate()
  async create(
    @CurrentCaller() caller: Caller,
    @Body() body: CreatePaymentDto,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const { amount, description = null, metadata, ...rest } = body
    const amountMinor = parseAmount(amount, body.currency)
    // The DTO has judged it; this tells the compiler.
    if (typeof amountMinor !== 'bigint')
      throw validationProblem([{ field: 'amount', message: amountMinor }])
    const wish = { ...rest, amountMinor, description, metadata: metadata ?? {} }
    const reply = await this.payments.create(caller, wish, keyedBy(key, `POST ${PATH}`, wish))
    http.header('location', `${PATH}/${referenceOf(reply.payment.id)}`)
    return answer(reply, http)
  }

  @Get()
  @NeedsScope('payments:read', 'payments:admin')
  @DocsOfList()
  async list(@CurrentCaller() caller: Caller, @Query() query: ListPaymentsDto) {
    const { createdFrom, createdTo, cursor, ...fields } = query
    const page = await listPayments(this.database, readerOf(caller), {
      ...fields,
      createdFrom: parseTime(createdFrom),
      createdTo: parseTime(createdTo),
      after: cursor ? decodeCursor(cursor) : undefined,
    })
    return { data: page.data.map(paymentView), nextCursor: page.nextCursor }
  }

  @Get(':reference')
  @NeedsScope('payments:read', 'payments:admin')
  @DocsOfGet()
  async get(
    @CurrentCaller() caller: Caller,
    @Param('reference') reference: string,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const payment = await this.payments.get(caller, idOf(reference))
    return answer({ payment, replayed: false }, http)
  }

  @Get(':reference/events')
  @NeedsScope('payments:read', 'payments:admin')
  @DocsOfEvents()
  async events(@CurrentCaller() caller: Caller, @Param('reference') reference: string) {
    const { id } = await this.payments.get(caller, idOf(reference))
    return { data: (await listEvents(this.database, id)).map(eventView) }
  }

  @Post(':reference/status')
  @HttpCode(200)
  @NeedsScope('payments:settle', 'payments:admin')
  @DocsOfMove()
  async move(
    @CurrentCaller() caller: Caller,
    @Param('reference') reference: string,
    @Body() body: MovePaymentDto,
    @Headers() headers: Record<string, string | undefined>,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const condition = conditionOf(headers['if-match'])
    if (condition === 'malformed')
      throw validationProblem([{ field: 'If-Match', message: 'must be an ETag' }])
    // Whoever moves a payment by an operator's right alone says why.
    if (!caller.scopes.has('payments:settle') && !body.reason) {
      throw validationProblem([{ field: 'reason', message: 'must be given by an operator' }])
    }
    const move = {
      to: body.status,
      versions: condition?.versions,
      providerTransactionId: body.providerTransactionId ?? undefined,
      reason: body.reason ?? undefined,
    }
    const keyed = keyedBy(headers['idempotency-key'], `POST ${PATH}/${reference}/status`, move)
    return answer(await this.payments.move(caller, idOf(reference), move, keyed), http)
  }
}

function answer({ payment, replayed }: Reply, http: FastifyReply) {
  http.header('etag', etagOf(payment.version))
  if (replayed) http.headers(REPLAYED)
  return paymentView(payment)
}
