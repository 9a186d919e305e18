import { createHmac, hash, randomBytes } from 'node:crypto'

/**
 * A refresh token has two parts of 256 bits: all refresh tokens of a session share the first, and each has
 * its own second part. The database stores only hashes of them. The first part identifies the session even
 * of a token that was replaced long ago.
 */
export interface RefreshToken {
  readonly text: string
  /** SHA-256 hashes of the two parts. Input of 256 random bits needs no slow hash. */
  readonly hashes: TokenHashes
}

export type TokenHashes = Readonly<Record<'session' | 'own', Buffer>>

const PART_LENGTH = 43

/** Also matches a token cut off after its first part: using it counts as reuse, which revokes the session. */
const TOKEN = /^[\w-]{43}(?:[\w-]{43})?$/

export function newRefreshToken(): RefreshToken {
  return tokenOf(randomPart(), randomPart())
}

/**
 * The next refresh token of the same session, the same one for the same token, salt and key. It can't be
 * derived without the token, nor without the salt, which only the database has, nor without the key, which
 * the database does not have.
 */
export function successorOf({ text }: RefreshToken, salt: Buffer, key: Buffer): RefreshToken {
  const own = createHmac('sha256', key).update(salt).update(text).digest('base64url')
  return tokenOf(text.slice(0, PART_LENGTH), own)
}

/** undefined for a malformed token. */
export function parseRefreshToken(text: string): RefreshToken | undefined {
  if (!TOKEN.test(text)) return undefined
  return tokenOf(text.slice(0, PART_LENGTH), text.slice(PART_LENGTH))
}

/** The part that all refresh tokens of a session share. */
export function sessionPart(text: string): string {
  return text.slice(0, PART_LENGTH)
}

function tokenOf(session: string, own: string): RefreshToken {
  const hashes = { session: hash('sha256', session, 'buffer'), own: hash('sha256', own, 'buffer') }
  return { text: session + own, hashes }
}

function randomPart(): string {
  return randomBytes(32).toString('base64url')
}
