import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bearerToken, claimedSession, tokenHash } from './bearer.js'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (payload: unknown) => `${part({ alg: 'HS256' })}.${part(payload)}.c2lnbmF0dXJl`

describe('a bearer token', () => {
  it.each(['Bearer', 'bearer', 'BEARER', 'Bearer  '])('follows %j', (scheme) => {
    expect(bearerToken(`${scheme} ${jwt({})}`)).toBe(jwt({}))
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
  ])('is not in %j', (header) => {
    expect(bearerToken(header)).toBeUndefined()
  })
})

describe('the session that a token claims', () => {
  it('is its sid', () => {
    expect(claimedSession(jwt({ sid: 'abc-123' }))).toBe('abc-123')
  })

  it.each([{}, { sid: 1 }, { sid: '' }, { sid: 'a b' }, { sid: 'x'.repeat(65) }, null, 'text'])(
    'is none in %j',
    (payload) => {
      expect(claimedSession(jwt(payload))).toBeUndefined()
    },
  )

  it('is none in any text, and none makes it throw', () => {
    fc.assert(fc.property(fc.string(), (text) => claimedSession(text) === undefined))
  })
})

it('a token’s hash is the SHA-256 of its characters, in hexadecimal', () => {
  expect(tokenHash('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
