import type { TryResult } from '../egress/try-result.js'
import { SLOW_MS } from './limits.js'

/** What a try means for its delivery and for its endpoint. */
export interface TryVerdict {
  /** `gone`: the endpoint wants no notifications any more. */
  readonly outcome: 'delivered' | 'failed' | 'gone'
  readonly status: number | undefined
  readonly error: string | undefined
  readonly answer: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** Whether the endpoint may be down: such tries in a row open its circuit. */
  readonly breaksCircuit: boolean
  readonly isSlow: boolean
  readonly tookMs: number
}

/** The error of a try that was not made, because the secrets of its endpoint can't be read. */
export const UNREADABLE_SECRET = 'unreadable_secret'

/** These say that the endpoint is overloaded, or that a server in front of it can't reach it. */
const OVERLOADED = 429

/** Standard Webhooks 1.0: only 2xx is a success; a redirect is a failure, and 410 ends all deliveries. */
export function verdictOf(result: Exclude<TryResult, { kind: 'aborted' }>): TryVerdict {
  const { tookMs } = result
  const isSlow = tookMs > SLOW_MS
  const none = { status: undefined, answer: undefined, retryAfterSeconds: undefined }
  if (result.kind === 'failed') {
    const { error } = result
    return { ...none, outcome: 'failed', error, breaksCircuit: true, isSlow, tookMs }
  }
  const { status, answer, retryAfterSeconds } = result
  const isSuccess = status >= 200 && status < 300
  const outcome = isSuccess ? 'delivered' : status === 410 ? 'gone' : 'failed'
  const breaksCircuit = status >= 500 || status === OVERLOADED
  const known = { status, answer, retryAfterSeconds, error: undefined }
  return { ...known, outcome, breaksCircuit, isSlow, tookMs }
}
