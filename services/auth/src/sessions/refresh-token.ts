import { createHash, randomBytes } from 'node:crypto'

const REFRESH_TOKEN_BYTES = 32

/** A new refresh token of 256 random bits: it says nothing, and can't be guessed. */
export function newRefreshToken(): string {
  return randomBytes(REFRESH_TOKEN_BYTES).toString('base64url')
}

/** What is kept of it. The token is random, so that a fast hash is as good as a slow one. */
export function refreshTokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
