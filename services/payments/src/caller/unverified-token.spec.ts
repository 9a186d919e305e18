import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apiKeyHash, apiKeyId, newApiKey } from '@malipo/kit/http/api-key'
import { bearerCredential, claimedSessionId, hashToken, isApiKey } from './unverified-token.js'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (payload: unknown) => `${part({ alg: 'HS256' })}.${part(payload)}.c2lnbmF0dXJl`

describe('the credential of an Authorization header', () => {
  it.each(['Bearer', 'bearer', 'BEARER', 'Bearer  '])('follows the scheme %j', (scheme) => {
    expect(bearerCredential(`${scheme} ${jwt({})}`)).toBe(jwt({}))
  })

  it.each([
    undefined,
    '',
    `Bearer mlp_live_${'0'.repeat(36)}`,
    `Bearer ${newApiKey('live').slice(1)}`,
    `Basic ${newApiKey('live')}`,
    'Bearer',
    'Bearer ',
    jwt({}),
    `Basic ${jwt({})}`,
    'Bearer not-a-jwt',
    `Bearer ${jwt({})} ${jwt({})}`,
    `Bearer ${jwt({})},`,
    `Bearer ${part({ alg: 'none' })}.${part({})}.`,
    `Bearer ${'a'.repeat(4_096)}.b.c`,
  ])('is undefined for %j', (header) => {
    expect(bearerCredential(header)).toBeUndefined()
  })
})

const sessionId = (token: string) => claimedSessionId(token, hashToken(token))

describe('an API key', () => {
  it.each(['live', 'sandbox'] as const)('of %s is a credential', (mode) => {
    const key = newApiKey(mode)
    expect(bearerCredential(`Bearer ${key}`)).toBe(key)
    expect([isApiKey(key), isApiKey(jwt({}))]).toEqual([true, false])
  })

  it('has the session id that auth derives from its hash', () => {
    const key = newApiKey('live')
    expect(sessionId(key)).toBe(apiKeyId(apiKeyHash(key)))
  })
})

describe('the claimed session id', () => {
  it('is the token’s sid', () => {
    expect(sessionId(jwt({ sid: 'abc-123' }))).toBe('abc-123')
  })

  it.each([{}, { sid: 1 }, { sid: '' }, { sid: 'a b' }, { sid: 'x'.repeat(65) }, null, 'text'])(
    'is undefined for the payload %j',
    (payload) => {
      expect(sessionId(jwt(payload))).toBeUndefined()
    },
  )

  it('is undefined for any string that is not a JWT', () => {
    fc.assert(fc.property(fc.string(), (text) => sessionId(`${text}.`) === undefined))
  })
})

it('hashes a token with SHA-256, in hexadecimal', () => {
  expect(hashToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
