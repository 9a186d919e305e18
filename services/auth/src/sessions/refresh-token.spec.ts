import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { newRefreshToken, parseRefreshToken, successorOf } from './refresh-token.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest()

describe('a refresh token', () => {
  it('is twice 256 random bits', () => {
    const { text } = newRefreshToken()
    expect(text).toMatch(/^[\w-]{86}$/)
    expect(newRefreshToken().text.slice(0, 43)).not.toBe(text.slice(0, 43))
  })

  describe('has a successor', () => {
    const token = newRefreshToken()
    const [salt, key] = [randomBytes(32), randomBytes(32)]
    const next = successorOf(token, salt, key)

    it('with the same first part and another second part', () => {
      expect(next.text.slice(0, 43)).toBe(token.text.slice(0, 43))
      expect(next.text.slice(43)).toMatch(/^[\w-]{43}$/)
      expect(next.text.slice(43)).not.toBe(token.text.slice(43))
      expect(next.hashes.session).toEqual(token.hashes.session)
      expect(parseRefreshToken(next.text)).toEqual(next)
    })

    it('which is the same for the same token, salt and key', () => {
      expect(successorOf(token, salt, key)).toEqual(next)
    })

    it.each([
      ['token', successorOf(newRefreshToken(), salt, key)],
      ['salt', successorOf(token, randomBytes(32), key)],
      ['key', successorOf(token, salt, randomBytes(32))],
    ])('which differs for another %s', (_, other) => {
      expect(other.hashes.own).not.toEqual(next.hashes.own)
    })
  })

  it('is stored as SHA-256 of its parts', () => {
    const { text, hashes } = newRefreshToken()
    expect(hashes).toEqual({ session: sha256(text.slice(0, 43)), own: sha256(text.slice(43)) })
    expect(parseRefreshToken(text)).toEqual({ text, hashes })
  })

  it('cut after its first part identifies its session and matches none of its tokens', () => {
    const hashes = { session: sha256('a'.repeat(43)), own: sha256('') }
    expect(parseRefreshToken('a'.repeat(43))?.hashes).toEqual(hashes)
  })

  it.each([
    '',
    'abc',
    'a'.repeat(42),
    'a'.repeat(44),
    'a'.repeat(87),
    `${'a'.repeat(85)}+`,
    `${'a'.repeat(86)}\n`,
  ])('is not %j', (text) => expect(parseRefreshToken(text)).toBeUndefined())
})
