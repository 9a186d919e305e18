import { describe, expect, it } from 'vitest'
import type { RedisState } from './session-proof.js'
import { authState, VERDICTS, type Verdict } from './token-decision.js'

/** Columns: what Redis shows. Rows: what auth answered. */
const STATES = ['revoked', 'fresh', 'stale', 'proven', 'none', 'silent'] as const
const TABLE: [keyof typeof VERDICTS, Record<RedisState, Verdict>][] = [
  ['not asked', row('rejected', 'hit', 'ask', 'ask', 'ask', 'ask')],
  ['valid', row('rejected', 'miss', 'miss', 'miss', 'miss', 'miss')],
  ['late', row('rejected', 'miss', 'miss', 'miss', 'unavailable', 'unavailable')],
  ['rejected', row('rejected', 'rejected', 'rejected', 'rejected', 'rejected', 'rejected')],
  ['unavailable', row('rejected', 'stale', 'stale', 'unavailable', 'unavailable', 'unavailable')],
]

function row(...verdicts: Verdict[]) {
  const cells = STATES.map((state, i) => [state, verdicts[i]])
  return Object.fromEntries(cells) as Record<RedisState, Verdict>
}

describe('the decision on a token', () => {
  it.each(TABLE)('if auth’s answer is "%s" is %j', (auth, verdicts) => {
    expect(VERDICTS[auth]).toEqual(verdicts)
  })

  it('has no other rows', () => {
    expect(Object.keys(VERDICTS)).toEqual(TABLE.map(([auth]) => auth))
  })
})

describe('auth’s answer', () => {
  it.each([
    ['valid', 0, 'valid'],
    ['valid', 749, 'valid'],
    ['valid', 750, 'late'],
    ['rejected', 10_000, 'rejected'],
    ['unavailable', 0, 'unavailable'],
    ['circuit open', 0, 'unavailable'],
  ] as const)('%s after %i ms is %s', (kind, ageMs, expected) => {
    expect(authState({ kind }, ageMs)).toBe(expected)
  })
})
