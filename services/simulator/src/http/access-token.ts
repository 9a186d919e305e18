import { createHmac, timingSafeEqual } from 'node:crypto'
import { parseObject } from './json.js'

/**
 * Access tokens in the form of a JWT, as MTN issues. No client reads them. A token is signed with the secret of its
 * account, so that it survives a restart of the simulator, and a new secret invalidates the tokens of the old one.
 */

/** An account that a client authenticates as, with the secret from which it gets a token. */
export interface Credentials {
  readonly id: string
  /** Empty if the account has no secret yet: it then has no valid token. */
  readonly secret: string
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const HEADER = encode({ alg: 'HS256', typ: 'JWT' })

/** @param issuer the provider */
export function issueToken(
  issuer: string,
  { id, secret }: Credentials,
  lifetimeSeconds: number,
  nowMs: number,
): string {
  const issuedAt = Math.floor(nowMs / 1000)
  const claims = { iss: issuer, sub: id, iat: issuedAt, exp: issuedAt + lifetimeSeconds }
  const signed = `${HEADER}.${encode(claims)}`
  return `${signed}.${sign(signed, secret).toString('base64url')}`
}

/** The account to which the header `Authorization: Bearer` belongs; undefined if its token is invalid or expired. */
export function accountOfToken<Account extends Credentials>(
  issuer: string,
  authorization: string | undefined,
  find: (id: string) => Account | undefined,
  nowMs: number,
): Account | undefined {
  const [, signed, claims = '', signature = ''] =
    /^Bearer ([\w-]+\.([\w-]+))\.([\w-]+)$/i.exec(authorization ?? '') ?? []
  const { iss, sub, exp } = parseObject(Buffer.from(claims, 'base64url')) ?? {}
  const account = iss === issuer && typeof sub === 'string' ? find(sub) : undefined
  if (!account || account.secret === '' || signed === undefined) return undefined
  const expected = sign(signed, account.secret)
  const given = Buffer.from(signature, 'base64url')
  const isSigned = given.length === expected.length && timingSafeEqual(given, expected)
  return isSigned && typeof exp === 'number' && nowMs < exp * 1000 ? account : undefined
}

function sign(signed: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(signed).digest()
}
