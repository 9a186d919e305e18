import { describe, expect, it } from 'vitest'
import { EntrySeal } from './entry-seal.js'

const [OLD, NEW, FOREIGN] = ['old', 'new', 'foreign'].map((name) => Buffer.alloc(32, name)) as [
  Buffer,
  Buffer,
  Buffer,
]
const ENTRY = {
  sub: 'a',
  merchant: 'a',
  sid: 'b',
  scope: 'payments:read',
  exp: 1,
  at: 2,
  proof: 'c',
  dataset: 'd',
}
const KEY = 'token:1'

function sealWith(...keys: [Buffer, ...Buffer[]]) {
  const count = { forgeries: 0 }
  const seal = new EntrySeal({ keys, current: keys[0] }, { inc: () => count.forgeries++ })
  return { seal, count }
}

describe('a cache entry', () => {
  it('is read as it was signed', () => {
    const { seal, count } = sealWith(NEW)
    expect(seal.open(KEY, seal.sign(KEY, ENTRY))).toEqual(ENTRY)
    expect(count.forgeries).toBe(0)
  })

  it('is signed with the first key, and verified with all', () => {
    const before = sealWith(OLD)
    const during = sealWith(NEW, OLD)
    const after = sealWith(NEW)
    expect(during.seal.open(KEY, before.seal.sign(KEY, ENTRY))).toEqual(ENTRY)
    expect(after.seal.open(KEY, during.seal.sign(KEY, ENTRY))).toEqual(ENTRY)
    expect(after.seal.open(KEY, before.seal.sign(KEY, ENTRY))).toBeUndefined()
  })

  const signed = sealWith(NEW).seal.sign(KEY, ENTRY)
  const changed = (changes: object) =>
    signed.slice(0, 44) + JSON.stringify({ ...ENTRY, ...changes })

  it.each([
    ['under the key of another token', 'token:2', signed],
    ['with another scope', KEY, changed({ scope: 'payments:admin' })],
    ['with another sub', KEY, changed({ sub: 'operator' })],
    ['with another session', KEY, changed({ sid: 'other' })],
    ['with a later expiry', KEY, changed({ exp: 10 })],
    ['with a later time of validation', KEY, changed({ at: 10 })],
    ['with another proof', KEY, changed({ proof: 'other' })],
    ['with another data set', KEY, changed({ dataset: 'other' })],
    ['with an unknown key', KEY, sealWith(FOREIGN).seal.sign(KEY, ENTRY)],
    ['without a signature', KEY, JSON.stringify(ENTRY)],
    ['with a truncated signature', KEY, signed.slice(1)],
    ['that is empty', KEY, ''],
    ['that is a signature only', KEY, signed.slice(0, 43)],
  ])('%s is ignored and counted', (_, key, value) => {
    const { seal, count } = sealWith(NEW)
    expect(seal.open(key, value)).toBeUndefined()
    expect(count.forgeries).toBe(1)
  })

  it('of another release is ignored, and not counted if it is authentic', () => {
    const { seal, count } = sealWith(NEW)
    const { proof: _, ...other } = ENTRY
    expect(seal.open(KEY, seal.sign(KEY, other as typeof ENTRY))).toBeUndefined()
    expect(count.forgeries).toBe(0)
  })
})
