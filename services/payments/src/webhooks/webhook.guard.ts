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

/** The sender of a webhook: a provider, authenticated by its signature, or a user, by a token. */
export type Sender =
  | { readonly kind: 'provider'; readonly name: string; readonly webhookId: string }
  | { readonly kind: 'user'; readonly id: string }

declare module 'fastify' {
  interface FastifyRequest {
    sender?: Sender
  }
}

/** Injection token. */
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
 * Authenticates a webhook by its signature or, if it has none, by a bearer token with `payments:settle`. An invalid
 * signature is rejected even with a valid token.
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
    request.sender = isSigned(request) ? this.verify(request) : await this.admit(request)
    return true
  }

  private verify(request: Request): Sender {
    const headers = request.headers as unknown as SignatureHeaders
    const name = signer(this.secrets, request.rawBody?.toString('utf8') ?? '', headers)
    if (name === undefined) {
      this.metrics.outcomes.bad_signature.inc()
      throw new Problem(
        PROBLEMS.signature,
        'The signature matches no configured provider secret, or its timestamp is too old.',
      )
    }
    request.actor = name
    return { kind: 'provider', name, webhookId: headers['webhook-id'] }
  }

  private async admit(request: Request): Promise<Sender> {
    const { id } = await this.callers.admit(request, ['payments:settle'])
    return { kind: 'user', id }
  }
}

function isSigned({ headers }: Request): boolean {
  return headers['webhook-signature'] !== undefined
}
