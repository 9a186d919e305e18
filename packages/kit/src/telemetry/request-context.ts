import { AsyncLocalStorage } from 'node:async_hooks'

/** Holds no reference to the request, because a connection retains the context in which it was opened. */
export interface RequestContext {
  readonly requestId: string
  readonly traceId: string | undefined
  /** When the response is due, by `performance.now()`: `DB_WAIT_MS` after the request has arrived, or was held. */
  deadline: number
  /** For how long the request was held, ms. */
  heldMs?: number
  /** Whether the response has been sent or the client has disconnected. */
  isCompleted: boolean
  readonly admission?: Admission | undefined
  /** Called once when the request completes. A request waits in one queue at a time, which sets this. */
  onCompleted?: (() => void) | undefined
}

/** The place of a request among those that the load shedder has admitted. */
interface Admission {
  /** Called before the request waits for something other than the event loop and the database. */
  leave(): void
  hold(): void
  resume(): void
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

/**
 * Holds the current request while it waits for a change, as its client has asked: the load shedder does not count
 * it, and neither its duration nor its deadline includes that time. The returned function ends the hold, and must
 * be called once.
 *
 * @param waitMs the time from the end of the hold to the new deadline
 * @param onCompleted called if the client disconnects meanwhile; it must end the hold
 */
export function holdRequest(waitMs: number, onCompleted: () => void): () => void {
  const request = requestContext.getStore()
  if (!request) return () => undefined
  const heldAt = performance.now()
  request.onCompleted = onCompleted
  request.admission?.hold()
  return () => {
    const now = performance.now()
    request.onCompleted = undefined
    request.heldMs = (request.heldMs ?? 0) + now - heldAt
    request.deadline = now + waitMs
    request.admission?.resume()
  }
}
