import type { GrantReading } from '../reading.js'

/** A grant could not be had. */
export interface GrantFailure {
  readonly kind: 'refused' | 'unavailable'
  readonly providerCode?: string
  /** When it is requested again at the earliest, ms, by the clock of the client. */
  readonly retryAt: number
}

export type Obtained = { readonly kind: 'granted'; readonly value: string } | GrantFailure

type Failed = Exclude<GrantReading, { readonly kind: 'granted' }>

interface Held {
  readonly value: string
  readonly renewAt: number
  readonly expiresAt: number
  /** Until then, a rejection is not answered with a renewal. */
  readonly settledAt: number
}

/** A renewal in the background leaves time for repeated requests before the value expires. */
const RENEW_AT = 0.8
/** A value that replaces a rejected one is not replaced within this time, so that no loop requests grants. */
const SETTLING_MS = 60_000

/** The longest pause, if that of the account's circuit is not shorter. */
const MAX_PAUSE_MS = 60_000
/** Wrong credentials are rarely right soon, and some providers lock an account that presents them often. */
const REFUSED_PAUSE_MS = 30_000
/** A provider that asks for more is asked again earlier: the account can do nothing until then. */
const MAX_RETRY_AFTER_MS = 900_000

export interface GrantTiming {
  /** Monotonic, ms. */
  readonly now: () => number
  /** The longest pause after failed calls in a row to the account, ms. */
  readonly pauseMaxMs: number
}

/** The current value of one grant, for one set of credentials. All that need it share one request. */
export class HeldGrant {
  private held: Held | undefined
  private failure: GrantFailure | undefined
  private failures = 0
  private request: Promise<Obtained> | undefined
  private isReplacement = false

  /** @param fetch requests a new value */
  constructor(
    private readonly fetch: () => Promise<GrantReading | GrantFailure>,
    private readonly timing: GrantTiming,
  ) {}

  /** The held value, which is renewed in the background when it becomes old; or a new one. */
  obtain(): Promise<Obtained> {
    const { held } = this
    if (!held || this.timing.now() >= held.expiresAt) return this.renew()
    if (this.timing.now() >= held.renewAt) void this.renew()
    return Promise.resolve({ kind: 'granted', value: held.value })
  }

  /**
   * The provider rejected a request with this value. It is replaced, unless a newer value is held already.
   *
   * @returns whether the request may succeed with another value; false if this value has just replaced another
   */
  reject(value: string): boolean {
    if (this.held?.value !== value) return true
    if (this.timing.now() < this.held.settledAt) return false
    this.held = undefined
    this.isReplacement = true
    return true
  }

  private async renew(): Promise<Obtained> {
    if (this.failure && this.timing.now() < this.failure.retryAt) return this.failure
    this.request ??= this.load().finally(() => (this.request = undefined))
    return this.request
  }

  private async load(): Promise<Obtained> {
    const requestedAt = this.timing.now()
    const reading = await this.fetch()
    if (reading.kind !== 'granted') {
      this.failures++
      this.failure = 'retryAt' in reading ? reading : this.failureOf(reading)
      return this.failure
    }
    const { value, lifetimeSeconds } = reading
    const lifetimeMs = lifetimeSeconds * 1_000
    this.held = {
      value,
      renewAt: requestedAt + lifetimeMs * RENEW_AT,
      expiresAt: requestedAt + lifetimeMs,
      settledAt: this.isReplacement ? this.timing.now() + SETTLING_MS : 0,
    }
    this.isReplacement = false
    this.failure = undefined
    this.failures = 0
    return { kind: 'granted', value }
  }

  private failureOf(reading: Failed): GrantFailure {
    const { kind, providerCode } = reading
    const { now, pauseMaxMs } = this.timing
    // From 1 s on, doubled with each failure in a row.
    const doubledMs = Math.min(MAX_PAUSE_MS, pauseMaxMs, 1_000 * 2 ** (this.failures - 1))
    const leastMs =
      reading.kind === 'refused'
        ? REFUSED_PAUSE_MS
        : Math.min(MAX_RETRY_AFTER_MS, (reading.retryAfterSeconds ?? 0) * 1_000)
    return { kind, providerCode, retryAt: now() + Math.max(doubledMs, leastMs) }
  }
}
