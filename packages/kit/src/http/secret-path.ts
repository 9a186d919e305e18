import type { FastifyInstance } from 'fastify'
import { pathOf } from './problem.js'
import type { Request } from './request.js'
import { routeConfig } from './route-config.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set by `SecretParameters`. */
    secretParameters?: readonly string[]
  }
  interface FastifyInstance {
    /** Undefined on a server without `collectSecretPaths`. */
    secretPaths?: SecretPath[]
  }
}

/** The paths whose segments, from a certain one on, are secret. */
export interface SecretPath {
  /** Of the route: `/api/shelves/:shelf/:key`. */
  readonly template: string
  readonly pattern: RegExp
}

/**
 * Declares path parameters that are secret. Responses then name the route's template instead of the path, also for
 * paths that no route matches, such as those with a further segment. Logs, traces and metrics name templates anyway.
 */
export function SecretParameters(...names: readonly [string, ...string[]]): MethodDecorator {
  return routeConfig({ secretParameters: names })
}

/** Collects the secret paths of all routes that are registered later. */
export function collectSecretPaths(fastify: FastifyInstance) {
  const paths: SecretPath[] = []
  fastify.decorate('secretPaths', paths)
  fastify.addHook('onRoute', ({ url, config }) => {
    if (config?.secretParameters) paths.push(secretPath(url, config.secretParameters))
  })
}

/** The path of a request that a response may contain. */
export function shownPath(request: Pick<Request, 'url' | 'server'>): string {
  const path = pathOf(request)
  return maskedPath(path, request.server.secretPaths ?? [])
}

export function maskedPath(path: string, secrets: readonly SecretPath[]): string {
  const plain = decoded(path)
  return secrets.find(({ pattern }) => pattern.test(plain))?.template ?? path
}

/**
 * The pattern also matches what a proxy or a provider makes of a path: a prefix, repeated slashes, another case. It
 * matches as soon as the first secret segment has a character.
 *
 * @throws Error if the template has none of the parameters, or no segment before them that identifies the path
 */
export function secretPath(template: string, parameters: readonly string[]): SecretPath {
  const segments = template.split('/').filter((segment) => segment !== '')
  const first = segments.findIndex((segment) => parameters.some((name) => segment === `:${name}`))
  const before = segments.slice(0, Math.max(0, first))
  if (!before.some((segment) => !segment.startsWith(':'))) {
    throw new Error(`${template} must have a secret parameter after a fixed segment`)
  }
  const parts = before.map((segment) => (segment.startsWith(':') ? '[^/]+' : escaped(segment)))
  return { template, pattern: new RegExp(`(?:^|/)${parts.join('/+')}/+[^/]`, 'i') }
}

function escaped(text: string): string {
  return text.replace(/[^\w-]/g, String.raw`\$&`)
}

/** An encoded path may be encoded once more by a proxy. */
const MAX_ENCODINGS = 3

/** Decodes ASCII characters, also in a path that is not valid as a whole. */
function decoded(path: string): string {
  let text = path
  for (let i = 0; i < MAX_ENCODINGS && text.includes('%'); i++) {
    text = text.replace(/%([0-7][\da-f])/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
  }
  return text
}
