import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
} from '@nestjs/common'
import type { Request } from '@malipo/kit/request'
import { bearerToken } from './bearer.js'
import { TokenCheck, type Validated } from './token-check.js'
import { tokenMissing, tokenNotValid } from './unauthorized.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling, on a route behind `CallerGuard`. */
    caller?: Validated
  }
}

/** Lets a request in whose token counts; the route gets its holder by `@Caller()`. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(private readonly tokens: TokenCheck) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>()
    const token = bearerToken(request.headers.authorization)
    if (token === undefined) throw tokenMissing()
    const caller = await this.tokens.check(token)
    if (!caller) throw tokenNotValid()
    request.caller = caller
    request.actor = caller.sub
    return true
  }
}

export const Caller = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<Request>().caller,
)
