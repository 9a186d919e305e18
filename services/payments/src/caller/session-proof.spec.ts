import { describe, expect, it } from 'vitest'
import { proofIn, redisState } from './session-proof.js'

const [N, OTHER] = ['proof', 'other']
const [D, OTHER_DATA] = ['data set', 'other data set']
const read = (proof?: string, dataset: string | undefined = D) => ({
  session: proof === undefined ? {} : { proof },
  dataset,
})
const entry = (
  proof: string,
  dataset = D,
  freshness: 'fresh' | 'stale' | 'unusable' = 'fresh',
) => ({
  proof,
  dataset,
  freshness,
})

describe('an entry', () => {
  it.each([
    ['the key holds its proof in its data set', read(N), entry(N), 'fresh'],
    ['it is stale', read(N), entry(N, D, 'stale'), 'stale'],
    ['it is too old', read(N), entry(N, D, 'unusable'), 'none'],
    ['the key holds another proof', read(OTHER), entry(N), 'none'],
    ['the key is missing', read(), entry(N), 'none'],
    ['the data set is another', read(N, OTHER_DATA), entry(N), 'none'],
    ['the data set is unknown', { session: { proof: N }, dataset: undefined }, entry(N), 'none'],
    ['there is no entry', read(N), undefined, 'none'],
    ['the session is revoked', { session: { revokedAtMs: 0 }, dataset: D }, entry(N), 'revoked'],
    ['Redis did not respond', undefined, entry(N), 'silent'],
  ])('if %s', (_, shown, cached, expected) => {
    expect(redisState(shown, { entry: cached })).toBe(expected)
  })

  it('does not count if auth rejected a token with its proof', () => {
    expect(redisState(read(N), { entry: entry(N), refusedProof: N })).toBe('none')
    expect(redisState(read(N), { entry: entry(N), refusedProof: OTHER })).toBe('fresh')
  })
})

describe('the proof from before a call to auth', () => {
  const asked = { proof: N, dataset: D }

  it.each([
    ['still counts', read(N), 'proven'],
    ['was replaced', read(OTHER), 'none'],
    ['is missing', read(), 'none'],
    ['is one of another data set', read(N, OTHER_DATA), 'none'],
  ])('%s', (_, shown, expected) => {
    expect(redisState(shown, { asked })).toBe(expected)
  })

  it('does not count if auth rejected a token with it meanwhile', () => {
    expect(redisState(read(N), { asked, refusedProof: N })).toBe('none')
  })

  it.each([
    [read(N), asked],
    [read(), undefined],
    [{ session: { proof: N }, dataset: undefined }, undefined],
    [{ session: { revokedAtMs: 5 }, dataset: D }, undefined],
  ])('in the read %j is %j', (shown, expected) => {
    expect(proofIn(shown)).toEqual(expected)
  })
})
