import { insufficientScope, needsScope, scopesOf } from '@malipo/kit/http/access'
import { Problem } from '@malipo/kit/http/problem'
import type { Request } from '@malipo/kit/http/request'
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common'
import { PROBLEMS } from '../problems.js'
import type { Caller, Scope } from './scopes.js'
import { TokenCheck } from './token-check.js'
import { bearerCredential } from './unverified-token.js'

/** Accepts a request if its token is valid and has at least one of the route's scopes. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(@Inject(TokenCheck) private readonly tokenCheck: TokenCheck) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.admit(context.switchToHttp().getRequest<Request>(), scopesOf(context))
    return true
  }

  /** @throws Problem 401: no valid token or key; 403: no required scope; 429: throttled; 503: auth unavailable */
  async admit(request: Request, scopes: readonly string[]): Promise<Caller> {
    const token = bearerCredential(request.headers.authorization)
    if (token === undefined) {
      throw unauthenticated('Send an access token or an API key: Authorization: Bearer <token>.')
    }
    const result = await this.tokenCheck.check(token, request)
    if (result.kind === 'rejected') {
      throw unauthenticated('The access token or API key is invalid, expired or revoked.')
    }
    if (result.kind === 'wrong-mode') throw wrongMode()
    if (result.kind === 'throttled') throw tooManyRejectedTokens(result.retryAfterSeconds)
    if (result.kind === 'unavailable') throw authUnavailable()
    const { caller } = result
    request.caller = caller
    request.actor = caller.id
    if (!scopes.some((scope) => caller.scopes.has(scope))) {
      throw insufficientScope(PROBLEMS.forbidden, scopes)
    }
    return caller
  }
}

export const NeedsScope = needsScope<Scope>(CallerGuard)

function unauthenticated(detail: string) {
  const headers = { 'www-authenticate': 'Bearer' }
  return new Problem(PROBLEMS.unauthenticated, detail, { headers })
}

function wrongMode() {
  const detail =
    'The API key was issued for another mode: mlp_live_ is for live, mlp_test_ for sandbox.'
  const headers = { 'www-authenticate': 'Bearer error="invalid_token"' }
  return new Problem(PROBLEMS.wrongMode, detail, { headers })
}

function tooManyRejectedTokens(retryAfterSeconds: number) {
  const detail =
    'This address has sent too many invalid tokens. Wait before you send another new token.'
  return new Problem(PROBLEMS.tooManyRejectedTokens, detail, { retryAfterSeconds })
}

function authUnavailable() {
  const detail = 'The access token can’t be validated: the auth service is unavailable.'
  return new Problem(PROBLEMS.authUnavailable, detail, { retryAfterSeconds: 2 })
}
