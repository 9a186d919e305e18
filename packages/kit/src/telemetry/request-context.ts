import { AsyncLocalStorage } from 'node:async_hooks'
import type { Span } from '@opentelemetry/api'

/**
 * The request that work is done for, known wherever that work goes on, for the log and the trace.
 *
 * It holds no part of the request itself: a connection that is made while a request is served keeps the
 * scope that it was made in for as long as it lives.
 */
export interface RequestContext {
  readonly requestId: string
  readonly traceId: string | undefined
  /** Its span, if its trace is recorded. */
  readonly span: Span | undefined
  /** Whether it was answered, or its client is gone. */
  isCompleted: boolean
}

/** Work that is done once for several requests. */
export interface BatchContext {
  /** Of those whose traces are recorded. */
  readonly links: readonly SpanLink[]
  /** How many there are in all. */
  readonly served: number
}

/** A request that waits, maybe with others, for what is done for it. */
export interface SpanLink {
  readonly scope: RequestContext & { readonly span: Span }
  /** Since when, on the clock of `performance.now()`. */
  readonly since: number
}

const scopes = new AsyncLocalStorage<RequestContext | BatchContext | undefined>()

/** Does `work`, and all that comes of it, in a scope. */
export function runInContext<T>(
  scope: RequestContext | BatchContext | undefined,
  work: () => T,
): T {
  return scopes.run(scope, work)
}

/** The scope of whoever asks. */
export function currentContext(): RequestContext | BatchContext | undefined {
  return scopes.getStore()
}

/** The request of whoever asks, unless there are several. */
export function currentRequestContext(): RequestContext | undefined {
  const scope = scopes.getStore()
  return scope && 'requestId' in scope ? scope : undefined
}
