import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'

/**
 * The keys that sign and verify tokens. Pure: no folder, no clock.
 *
 * A key starts to sign some minutes after its creation, when every replica and every client that caches the
 * public keys has it. Of the keys that have started, the latest signs; all keys verify.
 */
export interface Key {
  /** undefined for the secret, whose tokens have no `kid`. */
  readonly kid: string | undefined
  readonly algorithm: 'ES256' | 'HS256'
  /** Unix seconds. */
  readonly signsFrom: number
  readonly signing: KeyObject
  readonly verifying: KeyObject
}

/** The file of a private key: RFC 7517 and 7518; `nbf` is the time from which it signs. */
export interface KeyFile extends JsonWebKey {
  kid: string
  nbf: number
}

/** An invalid key set. The message is for operators and contains no key material. */
export class KeySetError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'KeySetError'
  }
}

/** `<kid>.json`: a valid name of an item of a Kubernetes Secret. */
const FILE_NAME = /^(?<kid>[\w-]{1,64})\.json$/

const MAX_KEYS = 16

/** `JWT_SECRET` as a key: it signs until the first key of a set does. */
export function secretKey(secret: string): Key {
  const key = createSecretKey(secret, 'utf8')
  return { kid: undefined, algorithm: 'HS256', signsFrom: 0, signing: key, verifying: key }
}

/**
 * Parses the files of a key set, by name; other files are ignored.
 *
 * @throws KeySetError for no key, too many keys or an invalid one
 */
export function parseKeys(files: ReadonlyMap<string, string>): Key[] {
  const keys = [...files].flatMap(([name, text]) => {
    const kid = FILE_NAME.exec(name)?.groups?.['kid']
    return kid === undefined ? [] : [parseKey(kid, text)]
  })
  if (keys.length === 0) throw new KeySetError('has no key file, such as a.json')
  if (keys.length > MAX_KEYS) throw new KeySetError(`has more than ${MAX_KEYS} keys`)
  return keys
}

export function isKeyFile(name: string): boolean {
  return FILE_NAME.test(name)
}

function parseKey(kid: string, text: string): Key {
  const file = parseFile(text)
  const invalid = (reason: string) => new KeySetError(`has an invalid ${kid}.json: ${reason}`)
  if (!file || file.kty !== 'EC' || file.crv !== 'P-256' || typeof file.d !== 'string') {
    throw invalid('it is not a private JWK of the curve P-256')
  }
  if (file.kid !== kid) throw invalid('its kid differs from the file name')
  if (file['alg'] !== undefined && file['alg'] !== 'ES256') throw invalid('its alg is not ES256')
  if (!Number.isSafeInteger(file.nbf)) throw invalid('its nbf is not a time in seconds')
  const pair = keyPair(file)
  if (!pair) throw invalid('its private and public parts do not match')
  return { kid, algorithm: 'ES256', signsFrom: file.nbf, ...pair }
}

function parseFile(text: string): KeyFile | undefined {
  try {
    const file = JSON.parse(text) as KeyFile | null
    return typeof file === 'object' && file !== null ? file : undefined
  } catch {
    return undefined
  }
}

/** undefined if the private and the public part do not match. */
function keyPair({ kty, crv, d, x, y }: KeyFile) {
  try {
    const signing = createPrivateKey({ key: { kty, crv, d, x, y }, format: 'jwk' })
    const verifying = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
    const probe = Buffer.from('probe')
    return verify('sha256', probe, verifying, sign('sha256', probe, signing))
      ? { signing, verifying }
      : undefined
  } catch {
    return undefined
  }
}

/** The key that signs at this time; if none has started to sign, the first one. */
export function signingKey(keys: readonly Key[], nowSeconds: number): Key {
  const inOrder = keys.toSorted((a, b) => a.signsFrom - b.signsFrom)
  const key = inOrder.findLast(({ signsFrom }) => signsFrom <= nowSeconds) ?? inOrder[0]
  if (!key) throw new KeySetError('has no key')
  return key
}

/** The key that has the `kid` and the `alg` of a token's header; the secret if there is no `kid`. */
export function verifyingKey(keys: readonly Key[], token: string): Key | undefined {
  const header = headerOf(token)
  if (!header) return undefined
  return keys.find(({ kid, algorithm }) => kid === header.kid && algorithm === header.alg)
}

function headerOf(token: string): { kid?: unknown; alg?: unknown } | undefined {
  try {
    const [head = ''] = token.split('.', 1)
    const header: unknown = JSON.parse(Buffer.from(head, 'base64url').toString())
    return typeof header === 'object' && header !== null ? header : undefined
  } catch {
    return undefined
  }
}

/** A public key in the format of RFC 7517. */
export interface PublicKey {
  kty: string
  crv: string
  x: string
  y: string
  kid: string
  use: 'sig'
  alg: 'ES256'
}

/** The public keys of the set; the secret has none. */
export function publicKeys(keys: readonly Key[]): PublicKey[] {
  return keys.flatMap(({ kid, verifying }) => {
    if (kid === undefined) return []
    const { kty = '', crv = '', x = '', y = '' } = verifying.export({ format: 'jwk' })
    return [{ kty, crv, x, y, kid, use: 'sig', alg: 'ES256' }]
  })
}
