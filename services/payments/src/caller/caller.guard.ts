import { Problem } from '@malipo/kit/problem'
import type { Request } from '@malipo/kit/request'
import { passedOn } from '@malipo/kit/request-id'
import {
  applyDecorators,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
  SetMetadata,
  UseGuards,
} from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { PROBLEMS } from '../problems.js'
import { bearerToken } from './bearer.js'
import type { Caller, Scope } from './scopes.js'
import { TokenCheck } from './token-check.js'

declare module 'fastify' {
  interface FastifyRequest {
    caller?: Caller
  }
}

const NEEDED = Symbol('the scopes of which a route needs one')

/** A route for callers whose token has one of these scopes. */
export function NeedsScope(...scopes: Scope[]) {
  return applyDecorators(SetMetadata(NEEDED, scopes), UseGuards(CallerGuard))
}

/** The caller, on a route with `NeedsScope`. */
export const WhoCalls = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<Request>()
  if (!caller) throw new Error('this route has no NeedsScope')
  return caller
})

/** Lets in who has a good token with the scope that the route names; a route that names none, nobody. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(
    @Inject(TokenCheck) private readonly tokens: TokenCheck,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const needed = this.reflector.get<Scope[] | undefined>(NEEDED, context.getHandler()) ?? []
    await this.admit(context.switchToHttp().getRequest<Request>(), needed)
    return true
  }

  /** @throws Problem 401 without a good token, 403 without a scope, 503 when it can't be known */
  async admit(request: Request, needed: readonly Scope[]): Promise<Caller> {
    const token = bearerToken(request.headers.authorization)
    if (token === undefined) throw unauthenticated('Send a token: Authorization: Bearer …')
    const checked = await this.tokens.check(token, passedOn(request.id, request.headers))
    if (checked.kind === 'refused') throw unauthenticated('The token is not valid, or is over.')
    if (checked.kind === 'unavailable') throw authUnavailable()
    const { caller } = checked
    request.caller = caller
    request.actor = caller.id
    if (!needed.some((scope) => caller.scopes.has(scope))) throw forbidden(needed)
    return caller
  }
}

function unauthenticated(detail: string) {
  return new Problem(PROBLEMS.unauthenticated, detail, {
    headers: { 'www-authenticate': 'Bearer' },
  })
}

function forbidden(needed: readonly Scope[]) {
  const scope = needed.join(' ')
  return new Problem(PROBLEMS.forbidden, `This needs ${needed.join(' or ')}.`, {
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
  })
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
