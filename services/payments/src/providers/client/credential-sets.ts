import { isDeepStrictEqual } from 'node:util'
import type { Logger } from '@malipo/kit/telemetry/logger'
import type { Credentials } from '../adapter.js'
import type { GrantFailure } from './held-grant.js'
import type { GrantSet, GrantValues, ObtainedGrants } from './grant-set.js'

/** A set of credentials with the values that a request needs. */
export interface Access {
  readonly kind: 'granted'
  readonly set: GrantSet
  readonly values: GrantValues
}

interface Entry {
  readonly set: GrantSet
  /** Whether the provider has refused the set, so that the other one is used. */
  isAside: boolean
  checkAt: number
  isLogged: boolean
}

/** How often a refused set is tried again. */
const CHECK_EVERY_MS = 60_000

/**
 * The sets of an account's credentials, the newest first. During a rotation, the newest may not be valid yet, or the
 * previous one not anymore. A set that the provider refuses is set aside while there is another one.
 */
export class CredentialSets {
  private entries: readonly Entry[] = []

  /**
   * @param create makes the grants of a set
   * @param now ms, monotonic
   */
  constructor(
    private readonly create: (credentials: Credentials) => GrantSet,
    private readonly log: Logger,
    private readonly now: () => number,
  ) {}

  /** A set that stays has its grants as before. */
  replace(sets: readonly Credentials[]) {
    const before = this.entries
    this.entries = sets.map(
      (credentials) =>
        before.find(({ set }) => isDeepStrictEqual(set.credentials, credentials)) ?? {
          set: this.create(credentials),
          isAside: false,
          checkAt: 0,
          isLogged: false,
        },
    )
  }

  /** Obtains grants with the first set that the provider accepts. */
  async obtain(names: readonly string[]): Promise<Access | GrantFailure> {
    const failures: GrantFailure[] = []
    for (const entry of this.entries) {
      if (entry.isAside && this.hasOther(entry)) {
        this.check(entry, names)
        continue
      }
      const { set } = entry
      const obtained = await set.obtain(names)
      if (obtained.kind === 'granted') return { kind: 'granted', set, values: obtained.values }
      failures.push(obtained)
      if (obtained.kind === 'refused') this.setAside(entry)
    }
    // A provider that is unavailable has not refused every set.
    const failure = failures.find(({ kind }) => kind === 'unavailable') ?? failures.at(-1)
    if (!failure) throw new Error('the account has no credentials')
    return failure
  }

  /**
   * The provider rejected a request for its credentials, although there was no reason to renew a grant.
   *
   * @returns whether another set is there to be used instead
   */
  reject(set: GrantSet): boolean {
    const entry = this.entries.find((each) => each.set === set)
    if (!entry) return true
    return this.setAside(entry)
  }

  private setAside(entry: Entry): boolean {
    if (!this.hasOther(entry)) return false
    if (!entry.isLogged) {
      const set = entry === this.entries[0] ? 'newest' : 'previous'
      this.log.warn({ set }, 'the provider refuses a set of credentials: the other one is used')
    }
    entry.isAside = true
    entry.isLogged = true
    entry.checkAt = this.now() + CHECK_EVERY_MS
    return true
  }

  private hasOther(entry: Entry): boolean {
    return this.entries.some((each) => each !== entry && !each.isAside)
  }

  /** In the background, so that no request waits for credentials that were refused before. */
  private check(entry: Entry, names: readonly string[]) {
    if (this.now() < entry.checkAt) return
    entry.checkAt = this.now() + CHECK_EVERY_MS
    const use = ({ kind }: ObtainedGrants) => void (entry.isAside = kind !== 'granted')
    // A request that uses the set reports a defect of the adapter.
    entry.set.obtain(names).then(use, () => undefined)
  }
}
