import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseKeys, publicKeys, secretKey, signingKey, verifyingKey } from './key-set.js'

function jwk(kid: string, nbf = 0, changes: object = {}) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid, nbf, ...changes })
}

const keysOf = (...files: [string, string][]) => parseKeys(new Map(files))
const tokenOf = (header: unknown) =>
  `${Buffer.from(JSON.stringify(header)).toString('base64url')}.e30.c2ln`

describe('a key set', () => {
  it('consists of its key files', () => {
    const keys = keysOf(['a.json', jwk('a', 5)], ['b-1.json', jwk('b-1', 7)], ['..data', 'x'])
    expect(keys).toMatchObject([
      { kid: 'a', algorithm: 'ES256', signsFrom: 5 },
      { kid: 'b-1', algorithm: 'ES256', signsFrom: 7 },
    ])
  })

  const other = JSON.parse(jwk('other')) as { d: string }
  const { privateKey: p384 } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  it.each<[string, string, RegExp]>([
    ['is no JSON', 'PEM', /not a private JWK/],
    ['is null', 'null', /not a private JWK/],
    [
      'is a public key',
      JSON.stringify({ ...publicKey.export({ format: 'jwk' }), kid: 'a' }),
      /private/,
    ],
    [
      'is of another curve',
      JSON.stringify({ ...p384.export({ format: 'jwk' }), kid: 'a', nbf: 0 }),
      /P-256/,
    ],
    ['has another name', jwk('b'), /differs from the file name/],
    ['is for another algorithm', jwk('a', 0, { alg: 'HS256' }), /ES256/],
    ['has no time', jwk('a', 0, { nbf: '2026' }), /nbf/],
    ['has a private part of another', jwk('a', 0, { d: other.d }), /do not match/],
    ['has nonsense for parts', jwk('a', 0, { x: '!', y: '' }), /do not match/],
  ])('is rejected when a key %s', (_, text, reason) => {
    expect(() => keysOf(['a.json', text])).toThrow(reason)
    expect(() => keysOf(['a.json', text])).not.toThrow(other.d)
  })

  it('has between one and sixteen keys', () => {
    expect(() => keysOf(['a.pem', 'x'])).toThrow('has no key file')
    const many = Array.from({ length: 17 }, (_, i) => [`k${i}.json`, jwk(`k${i}`)] as const)
    expect(() => parseKeys(new Map(many))).toThrow('more than 16')
  })

  it('publishes only the public parts', () => {
    const keys = [secretKey('s'.repeat(32)), ...keysOf(['a.json', jwk('a')])]
    expect(publicKeys(keys)).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: expect.any(String),
        y: expect.any(String),
        kid: 'a',
        use: 'sig',
        alg: 'ES256',
      },
    ])
  })
})

describe('the signing key', () => {
  const keys = keysOf(['a.json', jwk('a', 10)], ['c.json', jwk('c', 30)], ['b.json', jwk('b', 20)])
  it.each([
    [5, 'a'],
    [10, 'a'],
    [19.9, 'a'],
    [20, 'b'],
    [31, 'c'],
  ])('at %i s is %s', (now, kid) => {
    expect(signingKey(keys, now).kid).toBe(kid)
  })

  it('is the secret until the first key of the set signs', () => {
    const both = [secretKey('s'.repeat(32)), ...keys]
    expect(signingKey(both, 9).kid).toBeUndefined()
    expect(signingKey(both, 10).kid).toBe('a')
  })
})

describe('the verifying key', () => {
  const keys = [secretKey('s'.repeat(32)), ...keysOf(['a.json', jwk('a')])]
  it.each<[unknown, string | undefined]>([
    [{ kid: 'a', alg: 'ES256' }, 'ES256'],
    [{ alg: 'HS256' }, 'HS256'],
    [{ kid: 'a', alg: 'HS256' }, undefined],
    [{ kid: 'a', alg: 'none' }, undefined],
    [{ kid: 'a' }, undefined],
    [{ alg: 'none' }, undefined],
    [{ alg: 'ES256' }, undefined],
    [{}, undefined],
    [{ kid: 'b', alg: 'ES256' }, undefined],
    [{ kid: null, alg: 'ES256' }, undefined],
    [{ kid: ['a'], alg: 'ES256' }, undefined],
    [{ kid: '', alg: 'ES256' }, undefined],
    ['text', undefined],
    [null, undefined],
  ])('of a token with the header %j is %s', (header, algorithm) => {
    expect(verifyingKey(keys, tokenOf(header))?.algorithm).toBe(algorithm)
  })

  it.each(['', '.', 'e30', '!!!.e30.c2ln'])('is undefined for the malformed token %j', (token) => {
    expect(verifyingKey(keys, token)).toBeUndefined()
  })
})
