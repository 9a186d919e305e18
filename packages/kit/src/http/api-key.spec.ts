import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apiKeyHash, apiKeyHint, apiKeyId, apiKeyMode, newApiKey } from './api-key.js'

/** A key whose random part is zeros. Its checksum was computed with Python's `zlib.crc32`. */
const ZEROS = `mlp_live_${'0'.repeat(30)}`

describe('an API key', () => {
  it.each(['live', 'sandbox'] as const)('of %s has its prefix and a checksum', (mode) => {
    const key = newApiKey(mode)
    expect(key).toMatch(/^mlp_(live|test)_[0-9A-Za-z]{36}$/)
    expect(key.startsWith(mode === 'live' ? 'mlp_live_' : 'mlp_test_')).toBe(true)
    expect(apiKeyMode(key)).toBe(mode)
  })

  it('has the CRC-32 of everything before in base62, which other programs can compute', () => {
    expect(newApiKey('live', () => 0)).toBe(`${ZEROS}2rBmBH`)
  })

  it('is random', () => {
    const keys = Array.from({ length: 1_000 }, () => newApiKey('live'))
    expect(new Set(keys).size).toBe(keys.length)
    expect(new Set(keys.join('').slice(9)).size).toBeGreaterThanOrEqual(62)
  })

  it('with any changed character is none', () => {
    const key = newApiKey('live')
    const index = fc.integer({ min: 0, max: key.length - 1 })
    fc.assert(
      fc.property(
        index,
        fc.constantFrom('0', '9', 'a', 'z', 'A', 'Z', '_', '-', '.', ' '),
        (nth, character) => {
          fc.pre(key[nth] !== character)
          expect(apiKeyMode(key.slice(0, nth) + character + key.slice(nth + 1))).toBeUndefined()
        },
      ),
    )
  })

  it.each([
    '',
    'mlp_live_',
    `${ZEROS}000000`,
    `mlp_prod_${'0'.repeat(36)}`,
    `${newApiKey('live')}0`,
    ` ${newApiKey('live')}`,
    `${newApiKey('live')}\n`,
    newApiKey('live').toUpperCase(),
  ])('is none as %j', (text) => expect(apiKeyMode(text)).toBeUndefined())

  it('has an id that its hash determines', () => {
    const [one, other] = [newApiKey('live'), newApiKey('live')].map(apiKeyHash)
    const pattern = /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/
    expect(apiKeyId(one as Buffer)).toMatch(pattern)
    expect(apiKeyId(one as Buffer)).toBe(apiKeyId(one as Buffer))
    expect(apiKeyId(one as Buffer)).not.toBe(apiKeyId(other as Buffer))
  })

  it('is shown by its first and last characters', () => {
    expect(apiKeyHint(`mlp_test_abcd${'0'.repeat(28)}WXYZ`)).toBe('mlp_test_abcd…WXYZ')
  })
})
