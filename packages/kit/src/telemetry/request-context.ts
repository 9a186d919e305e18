import { AsyncLocalStorage } from 'node:async_hooks'

/** Holds no reference to the request, because a connection retains the context in which it was opened. */
export interface RequestContext {
  readonly requestId: string
  readonly traceId: string | undefined
  /** Whether the response has been sent or the client has disconnected. */
  isCompleted: boolean
}

export const requestContext = new AsyncLocalStorage<RequestContext>()
