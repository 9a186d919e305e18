import { AsyncLocalStorage } from 'node:async_hooks'

/** Holds no reference to the request, because a connection retains the context in which it was opened. */
export interface RequestContext {
  readonly requestId: string
  readonly traceId: string | undefined
  /** When the response is due, by `performance.now()`: `DB_WAIT_MS` after the request has arrived. */
  readonly deadline: number
  /** Whether the response has been sent or the client has disconnected. */
  isCompleted: boolean
  /** A request leaves before it waits for something other than the event loop and the database. */
  readonly admission?: { leave(): void } | undefined
  /** Called once when the request completes. A request waits in one queue at a time, which sets this. */
  onCompleted?: (() => void) | undefined
}

export const requestContext = new AsyncLocalStorage<RequestContext>()

/** The request completed before the result arrived. Work in flight may still take effect. */
export class Abandoned extends Error {
  override readonly name = 'Abandoned'

  constructor() {
    super('The request has completed')
  }
}

/**
 * Time that is left until the current request's deadline, in ms, at least 0; `otherwise` outside a request, and for
 * work that continues after its request has completed.
 */
export function timeLeftMs(otherwise: number): number {
  const request = requestContext.getStore()
  if (!request || request.isCompleted) return otherwise
  return Math.max(0, request.deadline - performance.now())
}

/** @throws Abandoned if the current request has completed: no client receives the result of further work */
export function assertNotCompleted(): void {
  if (requestContext.getStore()?.isCompleted) throw new Abandoned()
}
