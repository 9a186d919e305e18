import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkSealKeys, parseSealKeys, readSealKeys, sealingKey } from './seal-keys.js'

const SECRET = randomBytes(32).toString('base64url')
const jwk = (kid: string, nbf = 0, changes: object = {}) =>
  JSON.stringify({ kty: 'oct', kid, k: SECRET, nbf, ...changes })
const keysOf = (...files: [string, string][]) => parseSealKeys(new Map(files))

describe('a set of seal keys', () => {
  it('consists of its key files', () => {
    const keys = keysOf(['a.json', jwk('a', 5)], ['b-1.json', jwk('b-1', 7)], ['..data', 'x'])
    expect(keys).toMatchObject([
      { kid: 'a', sealsFrom: 5 },
      { kid: 'b-1', sealsFrom: 7 },
    ])
  })

  it.each<[string, string, RegExp]>([
    ['is no JSON', SECRET, /not a symmetric JWK/],
    ['is null', 'null', /not a symmetric JWK/],
    ['is a string', '"oct"', /not a symmetric JWK/],
    ['is of another type', jwk('a', 0, { kty: 'EC' }), /not a symmetric JWK/],
    ['has no k', jwk('a', 0, { k: undefined }), /not a symmetric JWK/],
    ['has another name', jwk('b'), /differs from the file name/],
    ['has no time', jwk('a', 0, { nbf: undefined }), /nbf/],
    ['has a time that is no number', jwk('a', 0, { nbf: '2026' }), /nbf/],
    ['is short', jwk('a', 0, { k: randomBytes(31).toString('base64url') }), /32 bytes/],
    ['is long', jwk('a', 0, { k: randomBytes(33).toString('base64url') }), /32 bytes/],
    ['is in base64', jwk('a', 0, { k: `${'+/'.repeat(21)}4=` }), /base64url/],
    ['has a line break', jwk('a', 0, { k: `${SECRET}\n` }), /base64url/],
  ])('is rejected when a key %s', (_, text, reason) => {
    expect(() => keysOf(['a.json', text])).toThrow(reason)
    expect(() => keysOf(['a.json', text])).not.toThrow(SECRET)
  })

  it('has between one and sixteen keys', () => {
    expect(() => keysOf(['a.pem', 'x'])).toThrow('has no key file')
    const many = Array.from({ length: 17 }, (_, i) => [`k${i}.json`, jwk(`k${i}`)] as const)
    expect(() => parseSealKeys(new Map(many))).toThrow('more than 16')
    expect(parseSealKeys(new Map(many.slice(1)))).toHaveLength(16)
  })
})

describe('the sealing key', () => {
  const keys = keysOf(['a.json', jwk('a', 10)], ['c.json', jwk('c', 30)], ['b.json', jwk('b', 20)])
  it.each([
    [5, 'a'],
    [10, 'a'],
    [19.9, 'a'],
    [20, 'b'],
    [31, 'c'],
  ])('at %i s is %s', (now, kid) => {
    expect(sealingKey(keys, now).kid).toBe(kid)
  })
})

describe('a key folder', () => {
  const check = checkSealKeys('KEYS_DIR')
  const folder = (files: Record<string, string>) => {
    const path = mkdtempSync(join(tmpdir(), 'malipo-seal-keys-'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
    return path
  }

  it('is read', () => {
    expect(readSealKeys(folder({ 'a.json': jwk('a'), other: 'x' }))).toHaveLength(1)
  })

  it('may be unset', () => {
    expect(check({ KEYS_DIR: undefined })).toEqual({})
    expect(check({ KEYS_DIR: folder({ 'a.json': jwk('a') }) })).toEqual({})
  })

  it('is rejected with the reason', () => {
    expect(check({ KEYS_DIR: '/nowhere' })).toEqual({ KEYS_DIR: 'must name a readable folder' })
    expect(check({ KEYS_DIR: folder({}) })).toEqual({
      KEYS_DIR: 'has no key file, such as a.json',
    })
    const unreadable = folder({})
    mkdirSync(join(unreadable, 'a.json'))
    expect(check({ KEYS_DIR: unreadable })).toEqual({ KEYS_DIR: 'has an unreadable a.json' })
  })
})
