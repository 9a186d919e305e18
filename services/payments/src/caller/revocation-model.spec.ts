import { formatRevocation, parseSessionValue } from '@malipo/kit/redis/session-revocation'
import { describe, expect, it } from 'vitest'
import { type Proof, proofIn, redisState, type SessionRead } from './session-proof.js'
import { VERDICTS } from './token-decision.js'

/**
 * A model of the token check: two replicas check one token while its session is revoked, and Redis loses keys
 * or its data. Every interleaving of the steps is executed, with the real rules on what counts.
 *
 * - A check reads the session's key, then the identity of the data; creates a proof if there is none, and reads
 *   again; asks auth; stores an entry, which arrives at any later time or never.
 * - A revocation is written to auth's database, then to Redis. Then the logout is answered.
 * - Redis evicts either key at any time, and continues once with older data under a new identity.
 * - Then another check begins, which auth does not answer. It must not accept the token.
 */
interface World {
  readonly keys: Keys
  readonly dataset: 'D1' | 'D2'
  /** Older data that Redis may continue with. */
  readonly snapshot: Keys | null
  readonly revocation: 'none' | 'in the database' | 'published'
  /** Entries on their way to Redis. */
  readonly stores: readonly Proof[]
  readonly checks: readonly Check[]
}

interface Keys {
  readonly entry: Proof | null
  readonly session: string | null
}

interface Check {
  readonly step: 'read' | 'read identity' | 'create' | 'ask' | 'done'
  /** What the first half of a read has shown. */
  readonly session?: string | null
  readonly hasCreated?: boolean
  /** The proof from before the call to auth. */
  readonly asked?: Proof | undefined
  readonly isValid?: boolean
}

/** What a mutation changes, to show that the model detects it. */
interface Rules {
  readonly stateOf: typeof redisState
  readonly isProofReadAfterCall: boolean
  readonly isIdentityReadFirst: boolean
}

const RULES: Rules = {
  stateOf: redisState,
  isProofReadAfterCall: false,
  isIdentityReadFirst: false,
}
const MARK = formatRevocation({ sid: 'sid', revokedAtMs: 1 }, 1).value
const DONE: Check = { step: 'done' }

/** Explores all worlds, or those until a token is accepted after its revocation. */
function explore(rules: Rules) {
  const first: Check = { step: rules.isProofReadAfterCall ? 'ask' : 'read' }
  const seen = new Set<string>()
  const queue: World[] = [
    {
      keys: { entry: null, session: null },
      dataset: 'D1',
      snapshot: null,
      revocation: 'none',
      stores: [],
      checks: [first, first],
    },
  ]
  for (let world = queue.pop(); world; world = queue.pop()) {
    const key = JSON.stringify(world)
    if (seen.has(key)) continue
    seen.add(key)
    if (world.revocation === 'published' && isAccepted(world, rules)) {
      return { worlds: seen.size, accepted: world }
    }
    queue.push(...environment(world), ...[0, 1].flatMap((nth) => advance(world, nth, rules)))
  }
  return { worlds: seen.size, accepted: undefined }
}

/** The steps of auth and Redis. */
function environment(world: World): World[] {
  const { keys, snapshot, stores, revocation } = world
  const next: World[] = [
    { ...world, keys: { ...keys, entry: null } },
    { ...world, keys: { ...keys, session: null } },
  ]
  if (revocation === 'none') next.push({ ...world, revocation: 'in the database' })
  if (revocation === 'in the database') {
    next.push({ ...world, revocation: 'published', keys: { ...keys, session: MARK } })
  }
  if (snapshot) next.push({ ...world, dataset: 'D2', keys: snapshot, snapshot: null })
  else if (world.dataset === 'D1') next.push({ ...world, snapshot: keys })
  stores.forEach((entry, nth) => {
    next.push({ ...world, stores: stores.toSpliced(nth, 1), keys: { ...keys, entry } })
  })
  return next
}

/** The next step of a check. */
function advance(world: World, nth: number, rules: Rules): World[] {
  const { keys, dataset, revocation } = world
  const check = world.checks[nth] ?? DONE
  const become = (next: Check, changes: Partial<World> = {}): World[] => [
    { ...world, ...changes, checks: world.checks.with(nth, next) },
  ]
  switch (check.step) {
    case 'read':
      return become({ ...check, step: 'read identity', session: keys.session })
    case 'read identity': {
      const { session = null, ...rest } = check
      const asked = proofIn({ session: parseSessionValue(session), dataset })
      if (rest.isValid) return become(DONE, asked && { stores: [...world.stores, asked] })
      if (asked || check.hasCreated) return become({ step: 'ask', asked })
      return become(session === null ? { step: 'create' } : DONE)
    }
    case 'create': {
      const session = keys.session ?? `proof ${nth}`
      return become({ ...check, step: 'read', hasCreated: true }, { keys: { ...keys, session } })
    }
    case 'ask':
      if (revocation !== 'none') return become(DONE)
      if (rules.isProofReadAfterCall) return become({ step: 'create', isValid: true })
      return become(DONE, check.asked && { stores: [...world.stores, check.asked] })
    case 'done':
      return []
  }
}

/** Whether a check that begins now accepts the token. Redis may change its data while the check reads it. */
function isAccepted({ keys, dataset, snapshot }: World, rules: Rules): boolean {
  const identities = new Set([dataset])
  if (snapshot) identities.add('D2')
  if (rules.isIdentityReadFirst) identities.add('D1')
  const session = parseSessionValue(keys.session)
  return [...identities].some((identity) => accepts({ session, dataset: identity }, keys, rules))
}

/** Whether a token is accepted without an answer of auth, by the age of its entry. */
function accepts(read: SessionRead, { entry }: Keys, { stateOf }: Rules): boolean {
  const states = (['fresh', 'stale'] as const).map((freshness) =>
    stateOf(read, { entry: entry ? { ...entry, freshness } : undefined }),
  )
  const verdicts = states.flatMap((state) => [
    VERDICTS['not asked'][state],
    VERDICTS.unavailable[state],
  ])
  return verdicts.some((verdict) => ['hit', 'miss', 'stale'].includes(verdict))
}

describe('a check that begins after the answer to a logout', () => {
  it('does not accept the token, in any order of steps and with any loss of keys or data', () => {
    const { worlds, accepted } = explore(RULES)
    expect(accepted).toBeUndefined()
    expect(worlds).toBeGreaterThan(5_000)
  }, 60_000)

  it.each<[string, Partial<Rules>]>([
    [
      'a missing key meant that the session is not revoked',
      {
        stateOf: (read, { entry, ...known }) => {
          const isMissing = read?.session.proof === undefined && !read?.session.revokedAtMs
          return isMissing && entry?.freshness === 'fresh'
            ? 'fresh'
            : redisState(read, { entry, ...known })
        },
      },
    ],
    ['the proof were read after the call to auth', { isProofReadAfterCall: true }],
    ['the identity of the data were read before the values', { isIdentityReadFirst: true }],
    [
      'an entry counted in any data set',
      {
        stateOf: (read, { entry, ...known }) =>
          redisState(read, {
            ...known,
            entry: entry && read?.dataset ? { ...entry, dataset: read.dataset } : undefined,
          }),
      },
    ],
  ])('would accept it if %s', (_, mutation) => {
    expect(explore({ ...RULES, ...mutation }).accepted).toBeDefined()
  })
})
