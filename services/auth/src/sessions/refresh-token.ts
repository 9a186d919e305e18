import { createHash, randomBytes } from 'node:crypto'

/**
 * A refresh token is two texts of 256 random bits each: the first is the same in all refresh tokens of a
 * session, the second is this token's own. Of both only the hash is kept. So a token that was used up
 * long ago is still known as one of its session's, and the session needs to remember two tokens only.
 */
export interface RefreshToken {
  readonly text: string
  /** SHA-256 of its parts. They are random, so that a fast hash is as good as a slow one. */
  readonly hashes: TokenHashes
}

export interface TokenHashes {
  readonly session: Buffer
  readonly own: Buffer
}

const PART_BYTES = 32
const PART_LENGTH = 43

/** The first part alone still names its session, which is then revoked. */
const TOKEN = /^[\w-]{43}(?:[\w-]{43})?$/

/** The first refresh token of a new session: it says nothing, and can't be guessed. */
export function newRefreshToken(): RefreshToken {
  return tokenOf(part(), part())
}

/** Another refresh token of the same session. */
export function successorOf({ text }: RefreshToken): RefreshToken {
  return tokenOf(text.slice(0, PART_LENGTH), part())
}

/** undefined for a text that can't be one. */
export function parseRefreshToken(text: string): RefreshToken | undefined {
  if (!TOKEN.test(text)) return undefined
  return tokenOf(text.slice(0, PART_LENGTH), text.slice(PART_LENGTH))
}

function tokenOf(session: string, own: string): RefreshToken {
  return { text: session + own, hashes: { session: sha256(session), own: sha256(own) } }
}

function part(): string {
  return randomBytes(PART_BYTES).toString('base64url')
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
