import { newQuota, type Quota } from './quota.js'

/** A limit on password attempts: at most `burst` at once, then one more after each interval. */
export interface AttemptLimit {
  readonly name: string
  readonly burst: number
  readonly intervalSeconds: number
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * At most 100 wrong passwords of an account are answered within 24 hours, from any number of addresses (NIST
 * SP 800-63B, section 5.2.2): 47 of `account`, 38 of `clients` and 14 of `ownersNetwork`.
 */
export const ACCOUNT_LIMITS = {
  /** Unrecognised clients. */
  account: { name: 'login-account', burst: 15, intervalSeconds: 45 * MINUTE },
  /** All clients that present a device token or an access token. */
  clients: { name: 'login-clients', burst: 20, intervalSeconds: 80 * MINUTE },
  /** Clients in a network where the owner has a session, after `account` or a network's limit is reached. */
  ownersNetwork: { name: 'login-owners-network', burst: 10, intervalSeconds: 6 * HOUR },
} as const satisfies Record<string, AttemptLimit>

/**
 * Parts of the limits above. Each has the interval of the whole and a smaller burst. So one network, or one
 * stolen device token, leaves 5 (or 10) attempts of the whole to all others, however long it guesses.
 */
export const PART_LIMITS = {
  /** The unrecognised clients of one network. */
  network: { name: 'login', burst: 10, intervalSeconds: 45 * MINUTE },
  /** One client that presents a device token or an access token. */
  client: { name: 'login-client', burst: 10, intervalSeconds: 80 * MINUTE },
} as const satisfies Record<string, AttemptLimit>

/** Attempts that a limit allows within any period of 24 hours. */
export function attemptsPerDay({ burst, intervalSeconds }: AttemptLimit): number {
  return burst + Math.floor(DAY / intervalSeconds)
}

/**
 * The quota of a subject whose counted attempts all expire in `expirySeconds`. They expire one after another,
 * one in each interval (GCRA, ITU-T I.371), so this one number is the whole state.
 */
export function quotaOf(limit: AttemptLimit, expirySeconds: number): Quota {
  const { name, burst, intervalSeconds } = limit
  // The clock is read in microseconds: a fraction of a millisecond is no further attempt.
  const counted = Math.max(0, Math.ceil((expirySeconds - 0.001) / intervalSeconds))
  const remaining = Math.max(0, burst - counted)
  const untilNext = Math.max(1, Math.ceil(expirySeconds - (counted - 1) * intervalSeconds))
  return newQuota(
    { name, limit: burst, windowSeconds: burst * intervalSeconds },
    { isAllowed: remaining > 0, remaining, nextSeconds: counted === 0 ? 0 : untilNext },
  )
}
