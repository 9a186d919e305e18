import { Problem } from '@malipo/kit/http/problem'
import type { Request } from '@malipo/kit/http/request'
import { databaseNow } from '@malipo/kit/postgres/clock'
import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
} from '@nestjs/common'
import { CallerGuard } from '../caller/caller.guard.js'
import { PROBLEMS } from '../problems.js'
import { isRecent, type ProviderSecret, verifySignature } from './signature.js'
import { type Sender, WebhookMetrics } from './webhooks.service.js'

declare module 'fastify' {
  interface FastifyRequest {
    sender?: Sender
  }
}

/** The injection token of the providers' secrets. */
export const PROVIDER_SECRETS = Symbol('provider secrets')

/** The sender that the guard has authenticated. */
export const WebhookSender = createParamDecorator(
  (_: unknown, context: ExecutionContext): Sender => {
    const { sender } = context.switchToHttp().getRequest<Request>()
    if (!sender) throw new Error('the route has no WebhookGuard')
    return sender
  },
)

/**
 * Authenticates a webhook by its signature or, if it has none, by a bearer token with `payments:settle`. An
 * invalid signature is rejected even with a valid token.
 */
@Injectable()
export class WebhookGuard implements CanActivate {
  constructor(
    private readonly callers: CallerGuard,
    @Inject(PROVIDER_SECRETS) private readonly secrets: readonly ProviderSecret[],
    @Inject(WebhookMetrics) private readonly metrics: WebhookMetrics,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>()
    const isSigned = request.headers['webhook-signature'] !== undefined
    request.sender = isSigned ? this.verify(request) : await this.admit(request)
    return true
  }

  private verify(request: Request): Sender {
    const body = request.rawBody ?? Buffer.alloc(0)
    const now = databaseNow()
    const signature = verifySignature(this.secrets, body, request.headers, now)
    if (!signature) {
      this.metrics.outcomes.bad_signature.inc()
      throw new Problem(PROBLEMS.signature, detailOf(request, now))
    }
    request.actor = signature.provider
    return { kind: 'provider', signature }
  }

  private async admit(request: Request): Promise<Sender> {
    const { id } = await this.callers.admit(request, ['payments:settle'])
    return { kind: 'user', id }
  }
}

function detailOf({ headers }: Request, nowMs: number): string {
  const timestamp = headers['webhook-timestamp']
  if (typeof timestamp === 'string' && !isRecent(timestamp, nowMs)) {
    const time = new Date(nowMs).toISOString()
    return `webhook-timestamp must be within 5 minutes of the time of the service, which is ${time}.`
  }
  return 'The signature matches no configured provider secret.'
}
