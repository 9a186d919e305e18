import { setTimeout as sleep } from 'node:timers/promises'
import { type HttpResponse, type HttpRequest, send } from './http.ts'

/**
 * Records all responses for the comparison with the database. A client retries a failed request once, with the same
 * idempotency key; both attempts are recorded.
 */

export type Kind = 'register' | 'login' | 'create' | 'read' | 'move' | 'webhook'

/** An operation of a client, with the status of a successful response. */
export interface Operation {
  readonly kind: Kind
  readonly request: HttpRequest
  readonly expectedStatus: number
  /** Idempotency key or webhook id; undefined for reads. */
  readonly key?: string
  /** The payment's reference, and its latest version known to the client: responses must not be older. */
  readonly reference?: string
  readonly knownVersion?: number
  /** Sent by the client that writes one payment after another. */
  readonly isSerialWriter?: boolean
}

/** One attempt: when it was sent (ms since the epoch), its duration, and the response. */
export interface Attempt extends HttpResponse {
  readonly at: number
  readonly ms: number
}

export interface Entry {
  readonly operation: Operation
  readonly attempts: readonly Attempt[]
}

/** The time that a load balancer may take to notice a dead process. */
const RETRY_AFTER_MS = 3_000

export class Journal {
  readonly entries: Entry[] = []
  /** All keys and webhook ids that were sent. */
  readonly sent = new Set<string>()
  private readonly inFlight = new Set<number[]>()

  /** Sends an operation, with one retry. @returns the response, or undefined if both attempts failed */
  async record(operation: Operation): Promise<HttpResponse | undefined> {
    const startedAt = [Date.now()]
    this.inFlight.add(startedAt)
    if (operation.key !== undefined) this.sent.add(operation.key)
    const attempts = [await timed(operation.request)]
    if (attempts[0]?.status !== operation.expectedStatus) {
      await sleep(RETRY_AFTER_MS)
      attempts.push(await timed(operation.request))
    }
    this.inFlight.delete(startedAt)
    this.entries.push({ operation, attempts })
    const last = attempts.at(-1)
    return last?.status === operation.expectedStatus ? last : undefined
  }

  /** Records an operation that was not sent, because too many were in flight, as failed. */
  recordDropped(operation: Operation) {
    const none = { at: Date.now(), ms: 0, status: 0, replayed: false, body: 'not sent' }
    this.entries.push({ operation, attempts: [none] })
  }

  /** When the oldest operation in flight was sent. */
  oldestInFlight(): number {
    return Math.min(...[...this.inFlight].flat())
  }

  /** Entries whose first attempt was sent in a time span. */
  between(from: number, to: number): Entry[] {
    return this.entries.filter(({ attempts }) => {
      const at = attempts[0]?.at ?? 0
      return at >= from && at < to
    })
  }
}

export function firstAttemptFailed({ operation, attempts }: Entry): boolean {
  return attempts[0]?.status !== operation.expectedStatus
}

export function allAttemptsFailed({ operation, attempts }: Entry): boolean {
  return attempts.at(-1)?.status !== operation.expectedStatus
}

async function timed(request: HttpRequest): Promise<Attempt> {
  const at = Date.now()
  const since = performance.now()
  const response = await send(request)
  return { ...response, at, ms: Math.round(performance.now() - since) }
}
