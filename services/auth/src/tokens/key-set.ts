import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import {
  type InvalidKey,
  type KeyFiles,
  newestKey,
  parseKeyFiles,
  readKeyFiles,
  startOf,
  type UncheckedJwk,
} from '@malipo/kit/config/key-folder'
import { tokenHeader } from './token-header.js'

/**
 * A signing key. It signs from `signsFrom`, when every replica and every client that caches the public keys
 * has it. Of the keys that have started to sign, the latest signs; all keys verify.
 */
export interface Key {
  /** undefined for `JWT_SECRET`, whose tokens have no `kid`. */
  readonly kid: string | undefined
  readonly algorithm: 'ES256' | 'HS256'
  /** Unix seconds. */
  readonly signsFrom: number
  readonly signing: KeyObject
  readonly verifying: KeyObject
}

/** `JWT_SECRET` as a key: it signs until the first key of a key set begins to sign. */
export function secretKey(secret: string): Key {
  const key = createSecretKey(secret, 'utf8')
  return { kid: undefined, algorithm: 'HS256', signsFrom: 0, signing: key, verifying: key }
}

/** Parses key files with private JWKs of the curve P-256. @throws KeyFolderError for an invalid set */
export function parseKeys(files: KeyFiles): Key[] {
  return parseKeyFiles(files, parseKey)
}

/** @throws KeyFolderError if the key set of the folder is invalid */
export function readKeyFolder(folder: string): Key[] {
  return parseKeys(readKeyFiles(folder))
}

function parseKey(kid: string, jwk: UncheckedJwk | undefined, invalid: InvalidKey): Key {
  if (jwk?.['kty'] !== 'EC' || jwk['crv'] !== 'P-256' || typeof jwk['d'] !== 'string') {
    throw invalid('it is not a private JWK of the curve P-256')
  }
  const { alg } = jwk
  const signsFrom = startOf(kid, jwk, invalid)
  if (alg !== undefined && alg !== 'ES256') throw invalid('its alg is not ES256')
  const pair = keyPair(jwk)
  if (!pair) throw invalid('its private and public parts do not match')
  return { kid, algorithm: 'ES256', signsFrom, ...pair }
}

/** Returns undefined if the private and the public part do not match. */
function keyPair({ kty, crv, d, x, y }: JsonWebKey) {
  try {
    const signing = createPrivateKey({ key: { kty, crv, d, x, y }, format: 'jwk' })
    const verifying = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
    const probe = Buffer.from('probe')
    const signature = sign('sha256', probe, signing)
    return verify('sha256', probe, verifying, signature) ? { signing, verifying } : undefined
  } catch {
    return undefined
  }
}

/** The key that signs now. */
export function signingKey(keys: readonly Key[], nowSeconds: number): Key {
  return newestKey(keys, ({ signsFrom }) => signsFrom, nowSeconds)
}

/** Finds a token's key by `kid` and algorithm: neither `none` nor a public key as HMAC secret is accepted. */
export function verifyingKey(keys: readonly Key[], token: string): Key | undefined {
  const header = tokenHeader(token)
  return header && keys.find(({ kid, algorithm }) => kid === header.kid && algorithm === header.alg)
}

/** The public keys of the set in the format of RFC 7517; `JWT_SECRET` has no public key. */
export function publicKeys(keys: readonly Key[]) {
  return keys.flatMap(({ kid, verifying }) => {
    if (kid === undefined) return []
    const { kty = '', crv = '', x = '', y = '' } = verifying.export({ format: 'jwk' })
    return [{ kty, crv, x, y, kid, use: 'sig' as const, alg: 'ES256' as const }]
  })
}
