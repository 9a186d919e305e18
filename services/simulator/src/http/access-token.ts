import { createSecretKey, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'

/** An account that a client authenticates as, with the secret from which it gets a token. */
export interface Credentials {
  readonly id: string
  readonly secret: string
}

/**
 * Issues a token. It is signed with the account's secret, so that a token survives a restart of the simulator, and
 * a new secret invalidates the tokens of the old one.
 *
 * @param issuer the provider
 */
export function issueToken(
  issuer: string,
  { id, secret }: Credentials,
  lifetimeSeconds: number,
  nowMs: number,
): string {
  const issuedAt = Math.floor(nowMs / 1000)
  const claims = { iss: issuer, sub: id, iat: issuedAt, exp: issuedAt + lifetimeSeconds }
  return jwt.sign(claims, keyOf(secret), { algorithm: 'HS256' })
}

/** The account to which the header `Authorization: Bearer` belongs; undefined if its token is invalid or expired. */
export function accountOfToken<Account extends Credentials>(
  issuer: string,
  authorization: string | undefined,
  find: (id: string) => Account | undefined,
  nowMs: number,
): Account | undefined {
  const [, token = ''] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? []
  const id = jwt.decode(token)?.sub
  const account = typeof id === 'string' ? find(id) : undefined
  if (!account) return undefined
  try {
    const clockTimestamp = Math.floor(nowMs / 1000)
    jwt.verify(token, keyOf(account.secret), { algorithms: ['HS256'], issuer, clockTimestamp })
    return account
  } catch {
    return undefined
  }
}

/** A string would first be tried as a public key, which takes most of the time of a verification. */
function keyOf(secret: string): KeyObject {
  return createSecretKey(Buffer.from(secret))
}
