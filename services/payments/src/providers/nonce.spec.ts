import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isNonce, nonceOf } from './nonce.js'

const KEY = Buffer.alloc(32, 'k')
const OTHER = Buffer.from('9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08')
const ACCOUNT = 'mtn-ug'
const FIRST = '0197f0a0-0000-7000-8000-000000000001'
const SECOND = '0197f0a0-0000-7000-8000-000000000002'

describe('a nonce', () => {
  // printf '%s' '["callback","mtn-ug","0197…01"]' | openssl dgst -sha256 -hmac "$KEY" -binary | head -c 16 | base64
  it.each([
    [KEY, ACCOUNT, FIRST, '5MNo2Z5A5Q5hKwYl3VUq_A'],
    [KEY, ACCOUNT, SECOND, 'aTU3ICI1I902IhMYpYQfMg'],
    [KEY, 'airtel-ug', FIRST, 'BDlp1qIstq-Daem0en4xqg'],
    [OTHER, ACCOUNT, FIRST, 'D40X_Aj3a3HqiuKYjV5_ng'],
  ])('is the beginning of an HMAC, in base64url (%#)', (key, account, attempt, nonce) => {
    expect(nonceOf(key, account, attempt)).toBe(nonce)
    expect(isNonce([key], account, attempt, nonce)).toBe(true)
  })

  it('is accepted with each of several keys', () => {
    for (const key of [KEY, OTHER]) {
      const nonce = nonceOf(key, ACCOUNT, FIRST)
      expect(isNonce([KEY, OTHER], ACCOUNT, FIRST, nonce)).toBe(true)
      expect(isNonce([OTHER, KEY], ACCOUNT, FIRST, nonce)).toBe(true)
    }
    expect(isNonce([OTHER], ACCOUNT, FIRST, nonceOf(KEY, ACCOUNT, FIRST))).toBe(false)
    expect(isNonce([], ACCOUNT, FIRST, nonceOf(KEY, ACCOUNT, FIRST))).toBe(false)
  })

  it('is that of one account and one attempt', () => {
    const nonce = nonceOf(KEY, ACCOUNT, FIRST)
    expect(isNonce([KEY], ACCOUNT, SECOND, nonce)).toBe(false)
    expect(isNonce([KEY], 'mtn-u', FIRST, nonce)).toBe(false)
  })

  it('differs for different pairs, wherever one string of a pair ends', () => {
    const pair = fc.tuple(fc.string(), fc.string())
    const isOther = fc.property(pair, pair, ([a, b], [c, d]) => {
      fc.pre(a !== c || b !== d)
      expect(nonceOf(KEY, a, b)).not.toBe(nonceOf(KEY, c, d))
    })
    fc.assert(isOther)
    expect(nonceOf(KEY, 'a"', 'b')).not.toBe(nonceOf(KEY, 'a', '"b'))
  })

  it('is compared as text: no other form of the same bytes is accepted', () => {
    const nonce = nonceOf(KEY, ACCOUNT, FIRST)
    // The last character has four bits that base64url ignores.
    const others = ['B', 'C', 'D'].map((last) => nonce.slice(0, -1) + last)
    for (const given of [...others, `${nonce}=`, ` ${nonce}`, nonce.replace('_', '/'), '', 'é']) {
      expect(isNonce([KEY], ACCOUNT, FIRST, given)).toBe(false)
    }
  })

  it('is not any other string', () => {
    const nonce = nonceOf(KEY, ACCOUNT, FIRST)
    const isWrong = fc.property(fc.string({ unit: 'binary' }), (given) => {
      fc.pre(given !== nonce)
      expect(isNonce([KEY, OTHER], ACCOUNT, FIRST, given)).toBe(false)
    })
    fc.assert(isWrong)
  })
})
