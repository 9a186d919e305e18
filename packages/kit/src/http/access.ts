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
import { KnownQuery } from './known-query.js'
import type { Request } from './request.js'

/** The access that a route declares. */
export type Access =
  | { readonly kind: 'public' | 'signature' | 'token' }
  /** Requires a token with at least one of these scopes. */
  | { readonly kind: 'scope'; readonly scopes: readonly string[] }

const ACCESS = Symbol('access')

/** Declares a route that needs no credentials. */
export function Public(): MethodDecorator {
  return declare({ kind: 'public' })
}

/** Declares a route whose callers sign requests and send no token. `guard` verifies the signature. */
export function PublicBySignature(guard: Type<CanActivate>): MethodDecorator {
  return declare({ kind: 'signature' }, guard)
}

/** Declares a route that needs an access token, whatever its scopes; `guard` validates the token. */
export function NeedsToken(guard: Type<CanActivate>): MethodDecorator {
  return applyDecorators(declare({ kind: 'token' }, guard), ApiBearerAuth())
}

/** Creates a service's `@NeedsScope(...scopes)`, for routes that need a token with one of these scopes. */
export function needsScope<Scope extends string>(guard: Type<CanActivate>) {
  return (...scopes: readonly [Scope, ...Scope[]]): MethodDecorator =>
    applyDecorators(declare({ kind: 'scope', scopes }, guard), ApiBearerAuth())
}

/** Injects the caller that the route's guard has authenticated. */
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

/** The scopes that the route accepts (the token needs one of them); empty if the route declares none. */
export function scopesOf(context: ExecutionContext): readonly string[] {
  const access = accessOf(context.getHandler())
  return access?.kind === 'scope' ? access.scopes : []
}

/** The syntax of RFC 6750, section 2.1, with a case-insensitive scheme (RFC 9110, section 11.1). */
const BEARER = /^Bearer +([\w.~+/-]+=*)$/i

/** The bearer token in an `Authorization` header; undefined if it is missing or malformed. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1]
}

/** A 403 with the `insufficient_scope` challenge of RFC 6750, section 3.1. */
export function insufficientScope(kind: ProblemKind, scopes: readonly string[]): Problem {
  return new Problem(kind, `The token needs the scope ${scopes.join(' or ')}.`, {
    headers: {
      'www-authenticate': `Bearer error="insufficient_scope", scope="${scopes.join(' ')}"`,
    },
  })
}

function declare(access: Access, ...guards: Type<CanActivate>[]): MethodDecorator {
  // A provider may add query parameters to the URL of its webhook.
  const all = access.kind === 'signature' ? guards : [...guards, KnownQuery]
  return applyDecorators(SetMetadata(ACCESS, access), UseGuards(...all))
}

/** Aborts startup if a route declares no access, because such a route would be open to everyone. */
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
