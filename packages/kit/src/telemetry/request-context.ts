import { AsyncLocalStorage } from 'node:async_hooks'

/** Holds no reference to the request: a connection keeps the context in which it was opened. */
export interface RequestContext {
  readonly requestId: string
  readonly traceId: string | undefined
  /** Whether the response was sent or the client disconnected. */
  isCompleted: boolean
}

export const requestContext = new AsyncLocalStorage<RequestContext>()
