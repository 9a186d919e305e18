import { PublicBySignature } from '@malipo/kit/http/access'
import type { Request } from '@malipo/kit/http/request'
import { validationProblem } from '@malipo/kit/http/validation'
import { Body, Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { etagOf } from '../payments/etag.js'
import { paymentView } from '../payments/payment.view.js'
import { WebhookGuard, WebhookSender } from './webhook.guard.js'
import { ReceiveDocs } from './webhooks.docs.js'
import { WebhookDto } from './webhooks.dto.js'
import { type Sender, WebhooksService } from './webhooks.service.js'

/** The injection token of the service's mode. */
export const MODE = Symbol('mode')

@ApiTags('webhooks')
@Controller('api/payments/webhook')
export class WebhooksController {
  constructor(
    private readonly webhooks: WebhooksService,
    @Inject(MODE) private readonly mode: 'sandbox' | 'live',
  ) {}

  @Post('provider')
  @HttpCode(200)
  @PublicBySignature(WebhookGuard)
  @ReceiveDocs()
  async receive(
    @WebhookSender() sender: Sender,
    @Body() body: WebhookDto,
    @Req() request: Request,
    @Res({ passthrough: true }) http: FastifyReply,
  ) {
    const id = idOf(sender, body.webhookId ?? undefined)
    // Only a request whose body was parsed reaches a route with a DTO.
    const bytes = request.rawBody as Buffer
    const isLive = this.mode === 'live'
    if (isLive && sender.kind === 'provider') assertMoney(body)
    const payment = await this.webhooks.receive(sender, id, body, bytes, isLive)
    http.header('etag', etagOf(payment.version))
    return paymentView(payment)
  }
}

/** A signature proves the sender, not that both mean the same money. */
function assertMoney({ amount }: WebhookDto) {
  if (amount !== undefined) return
  const message = 'is required with a signature in live'
  throw validationProblem(['amount', 'currency'].map((field) => ({ field, message })))
}

/** The signed id of a provider's webhook, or the id in a user's body. Two different ids are rejected. */
function idOf(sender: Sender, inBody: string | undefined): string {
  const id = sender.kind === 'provider' ? sender.signature.headers['webhook-id'] : inBody
  if (id === undefined)
    throw validationProblem([{ field: 'webhookId', message: 'is required without a signature' }])
  if (id.length > 255)
    throw validationProblem([{ field: 'webhook-id', message: 'must be 1 to 255 characters' }])
  if (inBody !== undefined && inBody !== id) {
    throw validationProblem([{ field: 'webhookId', message: 'must equal the signed webhook-id' }])
  }
  return id
}
