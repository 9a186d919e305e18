import { insufficientScope, needsScope, scopesOf } from '@malipo/kit/http/access'
import { Problem } from '@malipo/kit/http/problem'
import type { Request } from '@malipo/kit/http/request'
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common'
import { PROBLEMS } from '../problems.js'
import { bearerJwt } from './bearer.js'
import type { Caller, Scope } from './scopes.js'
import { TokenCheck } from './token-check.js'

/** Admits requests with a valid token that has one of the route's scopes; none if the route names no scope. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(@Inject(TokenCheck) private readonly tokens: TokenCheck) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.admit(context.switchToHttp().getRequest<Request>(), scopesOf(context))
    return true
  }

  /** @throws Problem 401 without a good token, 403 without a scope, 503 when it can't be known */
  async admit(request: Request, needed: readonly string[]): Promise<Caller> {
    const token = bearerJwt(request.headers.authorization)
    if (token === undefined) throw unauthenticated('Send a token: Authorization: Bearer …')
    const checked = await this.tokens.check(token, request)
    if (checked.kind === 'rejected') throw unauthenticated('The token is not valid, or is over.')
    if (checked.kind === 'throttled') throw tooManyBadTokens(checked.retryAfterSeconds)
    if (checked.kind === 'unavailable') throw authUnavailable()
    const { caller } = checked
    request.caller = caller
    request.actor = caller.id
    if (!needed.some((scope) => caller.scopes.has(scope))) {
      throw insufficientScope(PROBLEMS.forbidden, needed)
    }
    return caller
  }
}

export const NeedsScope = needsScope<Scope>(CallerGuard)

function unauthenticated(detail: string) {
  return new Problem(PROBLEMS.unauthenticated, detail, {
    headers: { 'www-authenticate': 'Bearer' },
  })
}

function tooManyBadTokens(retryAfterSeconds: number) {
  return new Problem(
    PROBLEMS.tooManyBadTokens,
    'Too many tokens from this address were not valid. Wait before the next that is new.',
    { retryAfterSeconds },
  )
}

function authUnavailable() {
  return new Problem(
    PROBLEMS.authUnavailable,
    'The token can’t be checked just now: auth does not answer.',
    {
      retryAfterSeconds: 2,
    },
  )
}
