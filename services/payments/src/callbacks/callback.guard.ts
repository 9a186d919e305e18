import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import type { Request } from '@malipo/kit/http/request'
import type { KeyRing } from '@malipo/kit/worker/key-ring'
import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
} from '@nestjs/common'
import { CALLBACK_ACCOUNTS, type CallbackAccounts } from './callback-accounts.js'
import { CALLBACK_KEYS } from '../providers/callback-keys.js'
import { CallbackMetrics } from './callback-metrics.js'
import { type CallbackPath, type CallbackTarget, targetOf } from './callback-target.js'

declare module 'fastify' {
  interface FastifyRequest {
    callbackTarget?: CallbackTarget
  }
}

/** What the URL of the callback names, as the guard has verified. */
export const Target = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const { callbackTarget } = context.switchToHttp().getRequest<Request>()
  if (!callbackTarget) throw new Error('the route has no CallbackGuard')
  return callbackTarget
})

/**
 * Verifies the nonce in the URL of a callback, before its body is read. The URL of an account has none: there, the
 * signature in the body counts, or that it names an open attempt.
 */
@Injectable()
export class CallbackGuard implements CanActivate {
  constructor(
    @Inject(CALLBACK_ACCOUNTS) private readonly accounts: CallbackAccounts,
    @Inject(CALLBACK_KEYS) private readonly ring: KeyRing,
    @Inject(CallbackMetrics) private readonly metrics: CallbackMetrics,
  ) {}

  /** @throws Problem 404, with the same words whatever is wrong */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>()
    const path = request.params as CallbackPath
    const target = targetOf(path, this.accounts, this.ring.keys)
    if (target === 'unknown_account') {
      this.metrics.countUnknown()
      throw noCallbackUrl()
    }
    if (typeof target === 'string') {
      this.metrics.count(path.account, target)
      throw noCallbackUrl()
    }
    request.actor = path.account
    request.callbackTarget = target
    return true
  }
}

export function noCallbackUrl(): Problem {
  return new Problem(HTTP_PROBLEMS.notFound, 'No callback is expected here.')
}
