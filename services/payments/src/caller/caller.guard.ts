import { Problem } from '@malipo/kit/http/problem'
import type { Request } from '@malipo/kit/http/request'
import {
  applyDecorators,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
  SetMetadata,
  type Type,
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
const BY_SIGNATURE = Symbol('a route for who signed the request')

/** A route for callers whose token has one of these scopes. */
export function NeedsScope(...scopes: readonly [Scope, ...Scope[]]) {
  return applyDecorators(SetMetadata(NEEDED, scopes), UseGuards(CallerGuard))
}

/** A route that is open to who proves themselves to this guard by signing the request. */
export function PublicBySignature(guard: Type<CanActivate>) {
  return applyDecorators(SetMetadata(BY_SIGNATURE, true), UseGuards(guard))
}

/** Whether a handler says who may call it; one that doesn't would be open to everyone. */
export function saysWhoMayCall(handler: object): boolean {
  const needed = Reflect.getMetadata(NEEDED, handler) as readonly Scope[] | undefined
  return (needed?.length ?? 0) > 0 || Reflect.getMetadata(BY_SIGNATURE, handler) === true
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
    const checked = await this.tokens.check(token, request)
    if (checked.kind === 'rejected') throw unauthenticated('The token is not valid, or is over.')
    if (checked.kind === 'throttled') throw tooManyBadTokens(checked.retryAfterSeconds)
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
