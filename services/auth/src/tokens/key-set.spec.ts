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
  it('is its files', () => {
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
    ['is no JSON', 'PEM', /private key/],
    ['is null', 'null', /private key/],
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
    ['has another name', jwk('b'), /name of the file/],
    ['is for another algorithm', jwk('a', 0, { alg: 'HS256' }), /ES256/],
    ['has no time', jwk('a', 0, { nbf: '2026' }), /nbf/],
    ['has a private part of another', jwk('a', 0, { d: other.d }), /belong together/],
    ['has nonsense for parts', jwk('a', 0, { x: '!', y: '' }), /belong together/],
  ])('is refused when a key %s', (_, text, reason) => {
    expect(() => keysOf(['a.json', text])).toThrow(reason)
    expect(() => keysOf(['a.json', text])).not.toThrow(other.d)
  })

  it('has one key at least, and sixteen at most', () => {
    expect(() => keysOf(['a.pem', 'x'])).toThrow('has no key')
    const many = Array.from({ length: 17 }, (_, i) => [`k${i}.json`, jwk(`k${i}`)] as const)
    expect(() => parseKeys(new Map(many))).toThrow('more than 16')
  })

  it('tells the world of the public parts alone', () => {
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

describe('the key that signs', () => {
  const keys = keysOf(['a.json', jwk('a', 10)], ['c.json', jwk('c', 30)], ['b.json', jwk('b', 20)])
  it.each([
    [5, 'a'],
    [10, 'a'],
    [19.9, 'a'],
    [20, 'b'],
    [31, 'c'],
  ])('at %i is %s', (now, kid) => {
    expect(signingKey(keys, now).kid).toBe(kid)
  })

  it('is the secret until the first of a set', () => {
    const both = [secretKey('s'.repeat(32)), ...keys]
    expect(signingKey(both, 9).kid).toBeUndefined()
    expect(signingKey(both, 10).kid).toBe('a')
  })
})

describe('the key that verifies', () => {
  const keys = [secretKey('s'.repeat(32)), ...keysOf(['a.json', jwk('a')])]
  it.each<[unknown, string | undefined]>([
    [{ kid: 'a' }, 'ES256'],
    [{ kid: 'a', alg: 'HS256' }, 'ES256'],
    [{ alg: 'HS256' }, 'HS256'],
    [{ alg: 'none' }, 'HS256'],
    [{ kid: 'b' }, undefined],
    [{ kid: null }, undefined],
    [{ kid: ['a'] }, undefined],
    [{ kid: '' }, undefined],
    ['text', undefined],
    [null, undefined],
  ])('for %j is of %s', (header, algorithm) => {
    expect(verifyingKey(keys, tokenOf(header))?.algorithm).toBe(algorithm)
  })

  it.each(['', '.', 'e30', '!!!.e30.c2ln'])('for %j: none, or the secret', (token) => {
    expect(verifyingKey(keys, token)?.kid).toBeUndefined()
  })
})
