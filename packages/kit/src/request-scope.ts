import { AsyncLocalStorage } from 'node:async_hooks'
import type { Span } from '@opentelemetry/api'

/**
 * The request that work is done for, known wherever that work goes on, for the log and the trace.
 *
 * It holds no part of the request itself: a connection that is made while a request is served keeps the
 * scope that it was made in for as long as it lives.
 */
export interface Scope {
  readonly requestId: string
  readonly traceId: string | undefined
  /** Its span, if its trace is recorded. */
  readonly span: Span | undefined
  /** Whether it was answered, or its client is gone. */
  isOver: boolean
}

/** Work that is done once for several requests. */
export interface SharedScope {
  /** Of those whose traces are recorded. */
  readonly riders: readonly Rider[]
  /** How many there are in all. */
  readonly served: number
}

/** A request that waits, maybe with others, for what is done for it. */
export interface Rider {
  readonly scope: Scope & { readonly span: Span }
  /** Since when, on the clock of `performance.now()`. */
  readonly since: number
}

const scopes = new AsyncLocalStorage<Scope | SharedScope | undefined>()

/** Does `work`, and all that comes of it, in a scope. */
export function within<T>(scope: Scope | SharedScope | undefined, work: () => T): T {
  return scopes.run(scope, work)
}

/** The scope of whoever asks. */
export function currentScope(): Scope | SharedScope | undefined {
  return scopes.getStore()
}

/** The request of whoever asks, unless there are several. */
export function currentRequest(): Scope | undefined {
  const scope = scopes.getStore()
  return scope && 'requestId' in scope ? scope : undefined
}
