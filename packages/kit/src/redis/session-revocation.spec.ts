import { describe, expect, it } from 'vitest'
import {
  formatRevocation,
  parseRevocationMessage,
  parseRevocationValue,
  REVOCATION_CHANNEL,
  revocationKey,
  revocationLifetimeSeconds,
} from './session-revocation.js'

/** The exact strings that the issuer writes to Redis and that every reader parses. */
const FORMATS = [
  {
    revocation: { sid: '0198c0de-0000-7000-8000-000000000001', revokedAtMs: 1_800_000_000_123 },
    key: 'revoked:0198c0de-0000-7000-8000-000000000001',
    value: '1800000000123',
    message: '{"sid":"0198c0de-0000-7000-8000-000000000001","at":1800000000123}',
  },
  {
    revocation: { sid: 'a', revokedAtMs: 5 },
    key: 'revoked:a',
    value: '5',
    message: '{"sid":"a","at":5}',
  },
]

describe('a session revocation', () => {
  it.each(FORMATS)('is written as $key = $value', ({ revocation, key, value, message }) => {
    expect(formatRevocation(revocation, 960)).toEqual({ key, value, ttlMs: 960_000, message })
  })

  it.each(FORMATS)('is read from $key = $value', ({ revocation, key, value, message }) => {
    expect(revocationKey(revocation.sid)).toBe(key)
    expect(parseRevocationValue(value)).toBe(revocation.revokedAtMs)
    expect(parseRevocationMessage(message)).toEqual(revocation)
  })

  it('is announced on the channel "revoked"', () => {
    expect(REVOCATION_CHANNEL).toBe('revoked')
  })

  it('outlives an access token by a minute of clock skew', () => {
    expect(revocationLifetimeSeconds(900)).toBe(960)
  })
})

it.each([
  [null, undefined],
  ['', 0],
  ['soon', 0],
  ['-5', 0],
  ['1e3', 0],
  ['1234567890123456', 0],
])('the value %j is read as revoked at %j', (value, expected) => {
  expect(parseRevocationValue(value)).toBe(expected)
})

it.each([
  ['{"sid":"a"}', { sid: 'a', revokedAtMs: 0 }],
  ['{"sid":"a","at":"5"}', { sid: 'a', revokedAtMs: 0 }],
  ['{"sid":1,"at":5}', undefined],
  ['null', undefined],
  ['not json', undefined],
])('the message %s is read as %j', (message, expected) => {
  expect(parseRevocationMessage(message)).toEqual(expected)
})
