import {
  applyDecorators,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Module,
  SetMetadata,
  type Type,
  UseGuards,
} from '@nestjs/common'
import { PATH_METADATA } from '@nestjs/common/constants.js'
import { DiscoveryModule, DiscoveryService, MetadataScanner } from '@nestjs/core'
import { ApiBearerAuth } from '@nestjs/swagger'
import { Problem, type ProblemKind } from './problem.js'
import type { Request } from './request.js'

/** The access that a route declares. */
export type Access =
  | { readonly kind: 'public' | 'signature' | 'token' }
  /** Requires a token with at least one of these scopes. */
  | { readonly kind: 'scope'; readonly scopes: readonly string[] }

const ACCESS = Symbol('access')

/** A route that needs no credentials. */
export function Public(): MethodDecorator {
  return declare({ kind: 'public' })
}

/** A route without a bearer token whose callers sign their requests; `guard` verifies the signature. */
export function PublicBySignature(guard: Type<CanActivate>): MethodDecorator {
  return declare({ kind: 'signature' }, guard)
}

/** A route that needs an access token with any scope; `guard` validates the token. */
export function NeedsToken(guard: Type<CanActivate>): MethodDecorator {
  return applyDecorators(declare({ kind: 'token' }, guard), ApiBearerAuth())
}

/** Makes a service's `@NeedsScope(...scopes)`: a route that needs a token with one of these scopes. */
export function needsScope<Scope extends string>(guard: Type<CanActivate>) {
  return (...scopes: readonly [Scope, ...Scope[]]): MethodDecorator =>
    applyDecorators(declare({ kind: 'scope', scopes }, guard), ApiBearerAuth())
}

/** The caller that the route's guard has authenticated. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const { caller } = context.switchToHttp().getRequest<Request>()
  if (!caller) throw new Error('the route has no guard that authenticates the caller')
  return caller
})

/** The access that a handler declares; undefined if it declares nothing or an empty list of scopes. */
export function accessOf(handler: object): Access | undefined {
  const access = Reflect.getMetadata(ACCESS, handler) as Access | undefined
  return access?.kind === 'scope' && access.scopes.length === 0 ? undefined : access
}

/** The scopes of which the current route requires one; empty if it declares none. */
export function scopesOf(context: ExecutionContext): readonly string[] {
  const access = accessOf(context.getHandler())
  return access?.kind === 'scope' ? access.scopes : []
}

/** RFC 6750, section 2.1; the scheme is case-insensitive (RFC 9110, section 11.1). */
const BEARER = /^Bearer +([\w.~+/-]+=*)$/i

/** The token in an `Authorization` header; undefined without a well-formed bearer token. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1]
}

/** 403 with the challenge of RFC 6750, section 3.1. */
export function insufficientScope(kind: ProblemKind, scopes: readonly string[]): Problem {
  return new Problem(kind, `The token needs the scope ${scopes.join(' or ')}.`, {
    headers: {
      'www-authenticate': `Bearer error="insufficient_scope", scope="${scopes.join(' ')}"`,
    },
  })
}

function declare(access: Access, ...guards: Type<CanActivate>[]): MethodDecorator {
  return applyDecorators(SetMetadata(ACCESS, access), UseGuards(...guards))
}

/** Aborts the start of a service if a route declares no access: it would be open to everyone. */
@Module({ imports: [DiscoveryModule] })
export class AccessCheck {
  constructor(discovery: DiscoveryService, scanner: MetadataScanner) {
    const controllers = discovery.getControllers().map(({ metatype }) => metatype as Type)
    const open = controllers.flatMap((controller) => openRoutes(controller, scanner))
    if (open.length === 0) return
    throw new Error(
      `${open.join(', ')} must declare access: Public, PublicBySignature, NeedsToken or NeedsScope`,
    )
  }
}

function openRoutes({ name, prototype }: Type, scanner: MetadataScanner): string[] {
  const handlers = prototype as Record<string, object>
  const isOpen = (method: string) => {
    const handler = handlers[method] as object
    return Reflect.hasMetadata(PATH_METADATA, handler) && !accessOf(handler)
  }
  const open = scanner.getAllMethodNames(handlers).filter(isOpen)
  return open.map((method) => `${name}.${method}`)
}
