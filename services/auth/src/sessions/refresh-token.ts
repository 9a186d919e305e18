import { createHash, randomBytes } from 'node:crypto'

/**
 * A refresh token has two parts of 256 random bits: all refresh tokens of a session share the first, and each
 * has its own second part. The database stores only hashes. Even a token that was replaced long ago
 * identifies its session by the first part, although a session stores only two tokens.
 */
export interface RefreshToken {
  readonly text: string
  /** SHA-256 of the parts. Random input needs no slow hash. */
  readonly hashes: TokenHashes
}

export interface TokenHashes {
  readonly session: Buffer
  readonly own: Buffer
}

const PART_BYTES = 32
const PART_LENGTH = 43

/**
 * Also matches a token truncated after its first part: it identifies its session, and using it revokes the
 * session.
 */
const TOKEN = /^[\w-]{43}(?:[\w-]{43})?$/

export function newRefreshToken(): RefreshToken {
  return tokenOf(part(), part())
}

/** The next refresh token of the same session. */
export function successorOf({ text }: RefreshToken): RefreshToken {
  return tokenOf(text.slice(0, PART_LENGTH), part())
}

/** undefined for a malformed token. */
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
