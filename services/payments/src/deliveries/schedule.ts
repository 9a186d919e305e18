/**
 * When a notification is tried again: the schedule that Standard Webhooks 1.0 recommends ("Retries"), ten tries in
 * 75 hours.
 */
export const DELAYS_SECONDS = [
  5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
] as const

/** A delay is longer by up to this fraction, so that the tries after an outage spread. */
const JITTER = 0.2
/** An endpoint that asks for more time gets no more than this. */
const MAX_RETRY_AFTER_SECONDS = 86_400

interface Tried {
  /** The tries so far, at least one. */
  readonly tries: number
  /** What the endpoint asked for. */
  readonly retryAfterSeconds: number | undefined
  /** Factor of all delays. */
  readonly scale: number
  /** 0 to 1. */
  readonly random: number
}

/** The seconds until the next try; undefined after the last one. */
export function nextTrySeconds(tried: Tried): number | undefined {
  const delay = DELAYS_SECONDS[tried.tries - 1]
  if (delay === undefined) return undefined
  const wanted = Math.min(tried.retryAfterSeconds ?? 0, MAX_RETRY_AFTER_SECONDS)
  return Math.max(delay * (1 + JITTER * tried.random), wanted) * tried.scale
}
