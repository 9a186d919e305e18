import type { Shares } from '../charges/payment-plan.ts'

/** What is set by the environment, and the times of the run. */

const FULL_COUNT = 2_000

export const SEED = process.env.SEED || '1'
export const COUNT = Number(process.env.COUNT || 10_000)
/** Payments created in a second, at most. */
export const RATE = Number(process.env.RATE || 40)
/** Four of ten payments are of MTN Uganda. */
export const SHARES: Shares = {
  'mtn-ug-sim': 8,
  'airtel-ug-sim': 5,
  'standard-sim': 5,
  'mtn-sandbox': 2,
}
/** The factor of all delays of payments and of the simulator: 0.01 turns an hour into 36 s. */
export const TIME_SCALE = Number(process.env.SCALE || 0.01)

/** Added to the timeout of a call: 30 s of a request for money, 10 s of a query. */
const LEASE_SECONDS = 2
export const SEND_LEASE_SECONDS = 30 + LEASE_SECONDS
export const QUERY_LEASE_SECONDS = 10 + LEASE_SECONDS

/**
 * The schedules of an hour and of a day are cut to 3 s, so that the 40 queries of an attempt take two minutes. The three
 * queries of a failed attempt then take 13 s, longer than the simulator is away.
 */
export const PACING = {
  PROVIDER_TIME_SCALE: String(TIME_SCALE),
  PROVIDER_LEASE_SECONDS: String(LEASE_SECONDS),
  PROVIDER_PAUSE_MAX_SECONDS: '2',
  PROVIDER_QUERY_MAX_SECONDS: '3',
  PROVIDER_SEND_SECONDS: '15',
}

/** Payments are created for this long at least, so that every kind of fault meets some. */
export const MIN_CREATION_MS = 60_000
/** How long the payments may take to end, after the last fault. A run waits no longer than it must. */
export const END_LIMIT_MS = 300_000
/**
 * How long the run waits until charges that the payer never decides are given to an operator. A short run ends before
 * the last of them has been queried for the last time.
 */
export const FLAG_LIMIT_MS = COUNT < FULL_COUNT ? 10_000 : 240_000

/** How long notifications may take to arrive after the payments have ended. */
export const DELIVERY_LIMIT_MS = 120_000

export const FOLDER = new URL('../../.data/soak', import.meta.url).pathname
