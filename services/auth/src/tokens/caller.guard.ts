import { insufficientScope, needsScope, scopesOf } from '@malipo/kit/http/access'
import { bearerToken } from '@malipo/kit/http/bearer'
import type { Request } from '@malipo/kit/http/request'
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common'
import { PROBLEMS, tokenMissing, tokenNotValid } from '../problems.js'
import type { Claims } from './claims.js'
import type { Scope } from './scopes.js'
import { TokenValidator } from './token-validator.js'
import { TokensService } from './tokens.service.js'

/** Accepts requests with a valid token and, if the route names scopes, with one of them. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(private readonly validator: TokenValidator) {}

  canActivate(context: ExecutionContext): Promise<boolean> {
    return admit(context, (token) => this.validator.validate(token))
  }
}

/**
 * Accepts any unexpired token that auth issued, even of a revoked session: after a lost response, a client
 * retries its logout with the same token.
 */
@Injectable()
export class SignedGuard implements CanActivate {
  constructor(private readonly tokens: TokensService) {}

  canActivate(context: ExecutionContext): Promise<boolean> {
    return admit(context, (token) => this.tokens.verify(token))
  }
}

export const NeedsScope = needsScope<Scope>(CallerGuard)

type Validate = (token: string) => Claims | undefined | Promise<Claims | undefined>

async function admit(context: ExecutionContext, validate: Validate): Promise<boolean> {
  const request = context.switchToHttp().getRequest<Request>()
  const token = bearerToken(request.headers.authorization)
  if (token === undefined) throw tokenMissing()
  const caller = await validate(token)
  if (!caller) throw tokenNotValid()
  request.caller = caller
  request.actor = caller.sub
  const needed = scopesOf(context)
  const granted = caller.scope.split(' ')
  if (needed.length > 0 && !needed.some((scope) => granted.includes(scope))) {
    throw insufficientScope(PROBLEMS.insufficientScope, needed)
  }
  return true
}
