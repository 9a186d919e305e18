import { expect, it } from 'vitest'
import { newRefreshToken, refreshTokenHash } from './refresh-token.js'

it('is 256 bits, never the same, and kept as SHA-256', () => {
  const token = newRefreshToken()
  expect(Buffer.from(token, 'base64url')).toHaveLength(32)
  expect(newRefreshToken()).not.toBe(token)
  expect(refreshTokenHash('abc').toString('hex')).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  )
})
