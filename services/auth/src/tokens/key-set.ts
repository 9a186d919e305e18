import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { basename } from 'node:path'
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

/** The contents of a private key's file (RFC 7517 and 7518); the key signs from the time `nbf`. */
interface KeyFile extends JsonWebKey {
  kid: string
  nbf: number
}

/** An invalid key set. The message is for operators and contains no key material. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError'
}

const MAX_KEYS = 16

/** `JWT_SECRET` as a key: it signs until the first key of a key set begins to sign. */
export function secretKey(secret: string): Key {
  const key = createSecretKey(secret, 'utf8')
  return { kid: undefined, algorithm: 'HS256', signsFrom: 0, signing: key, verifying: key }
}

/** Whether a file is named `<kid>.json`, which is also a valid name in a Kubernetes Secret. */
export function isKeyFile(name: string): boolean {
  return /^[\w-]{1,64}\.json$/.test(name)
}

/** Parses key files by name; other files are ignored. @throws KeySetError for an invalid set */
export function parseKeys(files: ReadonlyMap<string, string>): Key[] {
  const keys = [...files]
    .filter(([name]) => isKeyFile(name))
    .map(([name, text]) => parseKey(basename(name, '.json'), text))
  if (keys.length === 0) throw new KeySetError('has no key file, such as a.json')
  if (keys.length > MAX_KEYS) throw new KeySetError(`has more than ${MAX_KEYS} keys`)
  return keys
}

function parseKey(kid: string, text: string): Key {
  const file = parseJson(text) as KeyFile | null
  const invalid = (reason: string) => new KeySetError(`has an invalid ${kid}.json: ${reason}`)
  if (file?.kty !== 'EC' || file.crv !== 'P-256' || typeof file.d !== 'string') {
    throw invalid('it is not a private JWK of the curve P-256')
  }
  if (file.kid !== kid) throw invalid('its kid differs from the file name')
  if (file['alg'] !== undefined && file['alg'] !== 'ES256') throw invalid('its alg is not ES256')
  if (!Number.isSafeInteger(file.nbf)) throw invalid('its nbf is not a time in seconds')
  const pair = keyPair(file)
  if (!pair) throw invalid('its private and public parts do not match')
  return { kid, algorithm: 'ES256', signsFrom: file.nbf, ...pair }
}

/** Returns undefined if the private and the public part do not match. */
function keyPair({ kty, crv, d, x, y }: KeyFile) {
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

/** The key that signs now: the newest whose start time has passed, or the first if there is none. */
export function signingKey(keys: readonly Key[], nowSeconds: number): Key {
  const inOrder = keys.toSorted((a, b) => a.signsFrom - b.signsFrom)
  const key = inOrder.findLast(({ signsFrom }) => signsFrom <= nowSeconds) ?? inOrder[0]
  if (!key) throw new KeySetError('has no key')
  return key
}

/** Finds a token's key by `kid` and algorithm: neither `none` nor a public key as HMAC secret is accepted. */
export function verifyingKey(keys: readonly Key[], token: string): Key | undefined {
  const header = tokenHeader(token)
  return header && keys.find(({ kid, algorithm }) => kid === header.kid && algorithm === header.alg)
}

/** null for malformed JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The public keys of the set in the format of RFC 7517; `JWT_SECRET` has no public key. */
export function publicKeys(keys: readonly Key[]) {
  return keys.flatMap(({ kid, verifying }) => {
    if (kid === undefined) return []
    const { kty = '', crv = '', x = '', y = '' } = verifying.export({ format: 'jwk' })
    return [{ kty, crv, x, y, kid, use: 'sig' as const, alg: 'ES256' as const }]
  })
}
