import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { asksToRetry, type HttpRequest, type HttpResponse, send } from '../drill/http.ts'
import type { Attempt, Entry, Operation } from '../drill/journal.ts'
import type { Side } from './platform.ts'

/** Records each request and its response. */

/**
 * How a response is judged: as expected; `busy` asks to repeat the request later; `refused` denies a valid token;
 * `wrong` is anything else, or no response.
 */
export type Verdict = 'expected' | 'busy' | 'refused' | 'wrong'

/** What is asked of which replica; `where` is its name. */
interface Target {
  readonly what: string
  readonly where: string
  readonly side: Side
}

export interface Sample extends Attempt, Target {
  readonly verdict: Verdict
}

export interface Call extends Target {
  readonly origin: URL
  readonly request: HttpRequest
  readonly judge: (response: HttpResponse) => Verdict
}

const RETRY_WITHOUT_RESPONSE_MS = 1_000

export class Journal {
  readonly samples: Sample[] = []
  /** Operations on payments, for the comparison with the database. */
  readonly entries: Entry[] = []
  readonly sent = new Set<string>()
  /** When the requests that have no response yet were sent. */
  readonly inFlight = new Set<{ readonly at: number }>()
  /** No request is repeated later (ms since the epoch). */
  deadline = Infinity

  /** Sends a request once. */
  async once(call: Call): Promise<Sample> {
    const { what, where, side, origin, request, judge } = call
    const flight = { at: Date.now() }
    this.inFlight.add(flight)
    const since = performance.now()
    const response = await send(fromSomeNetwork(request), origin)
    const ms = Math.round(performance.now() - since)
    this.inFlight.delete(flight)
    const sample = { ...response, at: flight.at, ms, what, where, side, verdict: judge(response) }
    this.samples.push(sample)
    return sample
  }

  /** Repeats a request as a well-behaved client does, until it succeeds; undefined if it never does. */
  async call(call: Call): Promise<Sample | undefined> {
    return (await this.attempts(call)).find(({ verdict }) => verdict === 'expected')
  }

  /** Repeats an operation on a payment, with the same idempotency key, and enters it for the comparison. */
  async record(call: Call, operation: Operation): Promise<Sample | undefined> {
    if (operation.key !== undefined) this.sent.add(operation.key)
    const attempts = await this.attempts(call)
    this.entries.push({ operation, attempts })
    return attempts.find(({ verdict }) => verdict === 'expected')
  }

  private async attempts(call: Call): Promise<Sample[]> {
    const attempts: Sample[] = []
    for (;;) {
      const sample = await this.once(call)
      attempts.push(sample)
      const isRepeated = sample.verdict === 'busy' || sample.status === 0
      const delayMs = sample.retryAfter ? sample.retryAfter * 1_000 : RETRY_WITHOUT_RESPONSE_MS
      if (!isRepeated || Date.now() + delayMs > this.deadline) return attempts
      await sleep(delayMs)
    }
  }
}

/** The verdict on the response to a request with valid credentials. */
export function expects(status: number): Call['judge'] {
  return (response) => {
    if (response.status === status) return 'expected'
    if (asksToRetry(response)) return 'busy'
    return response.status === 401 || response.status === 403 ? 'refused' : 'wrong'
  }
}

function fromSomeNetwork(request: HttpRequest): HttpRequest {
  const address = `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`
  return { ...request, headers: { ...request.headers, 'x-forwarded-for': address } }
}
