import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
} from '@nestjs/common'
import type { Request } from '@malipo/kit/http/request'
import { bearerToken } from './bearer.js'
import type { Claims } from './claims.js'
import { TokenCheck, type Validated } from './token-check.js'
import { Tokens } from './tokens.js'
import { tokenMissing, tokenNotValid } from './unauthorized.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling, on a route behind a guard. */
    caller?: Claims | Validated
  }
}

/** Lets a request in whose token counts; the route gets its claims and holder by `@Caller()`. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(private readonly tokens: TokenCheck) {}

  canActivate(context: ExecutionContext): Promise<boolean> {
    return admit(context, (token) => this.tokens.check(token))
  }
}

/**
 * Lets a request in whose token is ours and not over, also when its session has ended: for a route that
 * ends it, and is asked to once more by whoever did not get the answer.
 */
@Injectable()
export class SignedGuard implements CanActivate {
  constructor(private readonly tokens: Tokens) {}

  canActivate(context: ExecutionContext): Promise<boolean> {
    return admit(context, (token) => this.tokens.verify(token))
  }
}

type Look = (token: string) => Claims | undefined | Promise<Claims | undefined>

async function admit(context: ExecutionContext, look: Look): Promise<boolean> {
  const request = context.switchToHttp().getRequest<Request>()
  const token = bearerToken(request.headers.authorization)
  if (token === undefined) throw tokenMissing()
  const caller = await look(token)
  if (!caller) throw tokenNotValid()
  request.caller = caller
  request.actor = caller.sub
  return true
}

export const Caller = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<Request>().caller,
)
