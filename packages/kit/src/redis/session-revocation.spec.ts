import { describe, expect, it } from 'vitest'
import {
  formatRevocation,
  parseRevocationMessage,
  parseSessionValue,
  REVOCATION_CHANNEL,
  revocationLifetimeSeconds,
  sessionKey,
} from './session-revocation.js'

/** The exact strings that the issuer writes to Redis and that every reader parses. */
const FORMATS = [
  {
    revocation: { sid: '0198c0de-0000-7000-8000-000000000001', revokedAtMs: 1_800_000_000_123 },
    key: 'session:0198c0de-0000-7000-8000-000000000001',
    value: 'revoked:1800000000123',
    message: '{"sid":"0198c0de-0000-7000-8000-000000000001","at":1800000000123}',
  },
  {
    revocation: { sid: 'a', revokedAtMs: 5 },
    key: 'session:a',
    value: 'revoked:5',
    message: '{"sid":"a","at":5}',
  },
]

describe('a session revocation', () => {
  it.each(FORMATS)('is written as $key = $value', ({ revocation, key, value, message }) => {
    expect(formatRevocation(revocation, 960)).toEqual({ key, value, ttlMs: 960_000, message })
  })

  it.each(FORMATS)('is read from $key = $value', ({ revocation, key, value, message }) => {
    expect(sessionKey(revocation.sid)).toBe(key)
    expect(parseSessionValue(value)).toEqual({ revokedAtMs: revocation.revokedAtMs })
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
  [null, {}],
  ['Zm9vYmFy', { proof: 'Zm9vYmFy' }],
  ['', { proof: '' }],
  ['revoked:', { revokedAtMs: 0 }],
  ['revoked:soon', { revokedAtMs: 0 }],
  ['revoked:-5', { revokedAtMs: 0 }],
  ['revoked:1e3', { revokedAtMs: 0 }],
  ['revoked:1234567890123456', { revokedAtMs: 0 }],
])('the value %j of a session is read as %j', (value, expected) => {
  expect(parseSessionValue(value)).toEqual(expected)
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
