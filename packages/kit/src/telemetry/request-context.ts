import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * The request that the current work is done for. It holds no part of the request itself: a connection opened
 * while a request is served keeps that request's context as long as it lives.
 */
export interface RequestContext {
  readonly requestId: string
  readonly traceId: string | undefined
  /** Whether the response was sent or the client disconnected. */
  isCompleted: boolean
}

export const requestContext = new AsyncLocalStorage<RequestContext>()
