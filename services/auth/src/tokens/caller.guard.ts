import { bearerToken, insufficientScope, needsScope, scopesOf } from '@malipo/kit/http/access'
import { apiKeyMode } from '@malipo/kit/http/api-key'
import type { Request } from '@malipo/kit/http/request'
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common'
import { keyNotAccepted, PROBLEMS, tokenMissing, tokenNotValid } from '../problems.js'
import type { Claims } from './claims.js'
import type { Scope } from './scopes.js'
import { TokensService } from './tokens.service.js'

/** Accepts valid tokens. If the route names scopes, the token must have at least one of them. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(private readonly tokens: TokensService) {}

  canActivate(context: ExecutionContext): Promise<boolean> {
    return admit(context, (token) => this.tokens.validate(token))
  }
}

/** Also accepts tokens of revoked sessions: a client that lost the response retries its logout. */
@Injectable()
export class SignedGuard implements CanActivate {
  constructor(private readonly tokens: TokensService) {}

  canActivate(context: ExecutionContext): Promise<boolean> {
    return admit(context, (token) => this.tokens.verify(token))
  }
}

export const NeedsScope = needsScope<Scope>(CallerGuard)

async function admit(
  context: ExecutionContext,
  claimsOf: (token: string) => Claims | undefined | Promise<Claims | undefined>,
): Promise<boolean> {
  const request = context.switchToHttp().getRequest<Request>()
  const token = bearerToken(request.headers.authorization)
  if (token === undefined) throw tokenMissing()
  const caller = await claimsOf(token)
  if (!caller) throw apiKeyMode(token) ? keyNotAccepted() : tokenNotValid()
  request.caller = caller
  request.actor = caller.sub
  const needed = scopesOf(context)
  const granted = caller.scope.split(' ')
  if (needed.length > 0 && !needed.some((scope) => granted.includes(scope))) {
    throw insufficientScope(PROBLEMS.insufficientScope, needed)
  }
  return true
}
