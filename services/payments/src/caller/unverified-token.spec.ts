import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bearerJwt, claimedSessionId, hashToken } from './unverified-token.js'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (payload: unknown) => `${part({ alg: 'HS256' })}.${part(payload)}.c2lnbmF0dXJl`

describe('the JWT of an Authorization header', () => {
  it.each(['Bearer', 'bearer', 'BEARER', 'Bearer  '])('follows the scheme %j', (scheme) => {
    expect(bearerJwt(`${scheme} ${jwt({})}`)).toBe(jwt({}))
  })

  it.each([
    undefined,
    '',
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
    expect(bearerJwt(header)).toBeUndefined()
  })
})

describe('the claimed session id', () => {
  it('is the token’s sid', () => {
    expect(claimedSessionId(jwt({ sid: 'abc-123' }))).toBe('abc-123')
  })

  it.each([{}, { sid: 1 }, { sid: '' }, { sid: 'a b' }, { sid: 'x'.repeat(65) }, null, 'text'])(
    'is undefined for the payload %j',
    (payload) => {
      expect(claimedSessionId(jwt(payload))).toBeUndefined()
    },
  )

  it('is undefined for any string that is not a JWT', () => {
    fc.assert(fc.property(fc.string(), (text) => claimedSessionId(text) === undefined))
  })
})

it('hashes a token with SHA-256, in hexadecimal', () => {
  expect(hashToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
