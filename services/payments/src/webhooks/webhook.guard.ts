import { Problem } from '@malipo/kit/http/problem'
import type { Request } from '@malipo/kit/http/request'
import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
} from '@nestjs/common'
import { CallerGuard } from '../caller/caller.guard.js'
import { PROBLEMS } from '../problems.js'
import { type ProviderSecret, type SignatureHeaders, signer } from './signature.js'
import { WebhookMetrics } from './webhook-metrics.js'

/** Who sent a webhook: a provider, proved by its signature, or a user, by a token. */
export type Sender =
  | { readonly kind: 'provider'; readonly name: string; readonly webhookId: string }
  | { readonly kind: 'user'; readonly id: string }

declare module 'fastify' {
  interface FastifyRequest {
    sender?: Sender
  }
}

/** The injection token of the providers' secrets. */
export const PROVIDER_SECRETS = Symbol('provider secrets')

export const WhoSent = createParamDecorator((_: unknown, context: ExecutionContext): Sender => {
  const { sender } = context.switchToHttp().getRequest<Request>()
  if (!sender) throw new Error('this route has no WebhookGuard')
  return sender
})

/**
 * Lets a webhook in by its signature or, when it has none, by a bearer that may settle payments. A
 * signature that is there and not valid is refused, whatever token comes with it.
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
    request.sender = isSigned(request) ? this.provider(request) : await this.user(request)
    return true
  }

  private provider(request: Request): Sender {
    const headers = request.headers as unknown as SignatureHeaders
    const name = signer(this.secrets, request.rawBody?.toString('utf8') ?? '', headers)
    if (name === undefined) {
      this.metrics.outcomes.bad_signature.inc()
      throw new Problem(PROBLEMS.signature, 'No provider’s secret made this signature just now.')
    }
    request.actor = name
    return { kind: 'provider', name, webhookId: headers['webhook-id'] }
  }

  private async user(request: Request): Promise<Sender> {
    const { id } = await this.callers.admit(request, ['payments:settle'])
    return { kind: 'user', id }
  }
}

function isSigned({ headers }: Request): boolean {
  return headers['webhook-signature'] !== undefined
}
