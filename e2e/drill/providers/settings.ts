import type { Shares } from '../../charges/payment-plan.ts'

/** The payments of a row, and the times within which they must be settled. */

/** Payments of a row. */
export const COUNT = 1_000
export const PER_SECOND = 10

export const SHARES: Shares = { 'mtn-ug-sim': 3, 'airtel-ug-sim': 2 }

/**
 * What payers do: everything that ends, with or without a callback. `make soak` also has the answers that providers
 * withhold.
 */
export const PERSONALITIES =
  'approve=30,decline=6,insufficient-funds=6,expire=8,slow=4,callback-lost=10,callback-twice=6,callback-early=6,' +
  'callback-out-of-order=6,wrong-amount=2,error-though-paid=6,reset-though-paid=6,refuse=2,busy=2,unknown-9-minutes=2'

/** The factor of all delays of payments and of the simulator: 0.05 turns 5 minutes into 15 s. */
export const TIME_SCALE = 0.05

export const LEASE_SECONDS = 10
export const PAUSE_MAX_SECONDS = 5
export const QUERY_MAX_SECONDS = 5
export const SEND_SECONDS = 60

/** Environment variables of payments. */
export const PACING = {
  PROVIDER_TIME_SCALE: String(TIME_SCALE),
  PROVIDER_LEASE_SECONDS: String(LEASE_SECONDS),
  PROVIDER_PAUSE_MAX_SECONDS: String(PAUSE_MAX_SECONDS),
  PROVIDER_QUERY_MAX_SECONDS: String(QUERY_MAX_SECONDS),
  PROVIDER_SEND_SECONDS: String(SEND_SECONDS),
}

/** Sends are slower than the bursts of payments, so that some wait. Queries are not limited. */
export const LIMITS = { rate: 10, pollRate: 1_000, maxInFlight: 50 }

/** The timeout of a request for money, which its lease includes. */
export const SEND_TIMEOUT_MS = 30_000

/** How long after a fault payments must be settled: a lease, a pause of the circuit, and an interval of queries. */
export const BOUND_MS = (LEASE_SECONDS + PAUSE_MAX_SECONDS + QUERY_MAX_SECONDS) * 1_000
/** The same, if a request for money was lost with its replica. */
export const LOST_CALL_BOUND_MS = BOUND_MS + SEND_TIMEOUT_MS
