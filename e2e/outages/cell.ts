import type { Platform } from './platform.ts'

/** One outage: how it begins and ends, and how it is measured. */
export interface Cell {
  readonly name: string
  readonly inject: (platform: Platform) => unknown
  /** Ends the outage; resolves when the dependency works again. */
  readonly repair: (platform: Platform) => unknown
  /** Runs after clients have sent their tokens everywhere, and before some of them log out. */
  readonly beforeLogouts?: (platform: Platform) => Promise<unknown>
  /** How long the outage lasts; by default longer than `DB_WAIT_MS`. */
  readonly holdMs?: number
  /** The `DB_WAIT_MS` of the services; by default that of the run. */
  readonly waitMs?: number
  /** Only replica A has the outage: no request to replica B may fail. */
  readonly onlyA?: boolean
  /** No request may fail at all. */
  readonly served?: boolean
  /** Clients send nothing to auth A, whose process has stopped. */
  readonly withoutAuthA?: boolean
  /** The number of sessions that are revoked before the outage. */
  readonly loggedOut?: number
  /** During the outage a replica of payments starts, which knows no token. */
  readonly withFreshReplica?: boolean
  /** How often the dependency fails; each failure may log two lines. */
  readonly outages?: number
  /** Part of the short matrix. */
  readonly short?: boolean
}
