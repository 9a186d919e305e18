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
 * The keys that tokens are signed and verified with. Pure: no folder, no clock.
 *
 * A key of a set has a time from which it signs, some minutes after it was made: by then every replica has
 * it, and every client that caches the public ones. The key that signs is the one whose time has come
 * last; all of them verify. The algorithm is a property of the key, so what a token's header says of it is
 * only ever compared.
 */
export interface Key {
  /** undefined: the secret, whose tokens name no key. */
  readonly kid: string | undefined
  readonly algorithm: 'ES256' | 'HS256'
  /** In seconds since the epoch. */
  readonly signsFrom: number
  readonly signing: KeyObject
  readonly verifying: KeyObject
}

/** A private key as it is kept in a file: RFC 7517 and 7518, with `nbf` for the time it signs from. */
export interface KeyFile extends JsonWebKey {
  kid: string
  nbf: number
}

/** What can be said against a key set; its text is for operators and has nothing of a key in it. */
export class KeySetError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'KeySetError'
  }
}

/** A file's name is its key's id; Kubernetes takes such names for the keys of a Secret. */
const FILE_NAME = /^(?<kid>[\w-]{1,64})\.json$/

const MOST_KEYS = 16

/** The secret of the simple way: it signs until the first key of a set does. */
export function secretKey(secret: string): Key {
  const key = createSecretKey(secret, 'utf8')
  return { kid: undefined, algorithm: 'HS256', signsFrom: 0, signing: key, verifying: key }
}

/**
 * The keys of a set's files, by their names; files of other names are none of ours.
 *
 * @throws KeySetError when there is none, there are too many, or one is not as it should be
 */
export function parseKeys(files: ReadonlyMap<string, string>): Key[] {
  const keys = [...files].flatMap(([name, text]) => {
    const kid = FILE_NAME.exec(name)?.groups?.['kid']
    return kid === undefined ? [] : [parseKey(kid, text)]
  })
  if (keys.length === 0) throw new KeySetError('has no key: a file such as one.json')
  if (keys.length > MOST_KEYS) throw new KeySetError(`has more than ${MOST_KEYS} keys`)
  return keys
}

/** Whether a file's name is one of a key. */
export function isKeyFile(name: string): boolean {
  return FILE_NAME.test(name)
}

function parseKey(kid: string, text: string): Key {
  const file = parseFile(text)
  const wrong = (what: string) => new KeySetError(`has ${kid}.json, ${what}`)
  if (!file || file.kty !== 'EC' || file.crv !== 'P-256' || typeof file.d !== 'string') {
    throw wrong('which is no private key of the curve P-256 as a JWK')
  }
  if (file.kid !== kid) throw wrong('whose kid is not the name of the file')
  if (file['alg'] !== undefined && file['alg'] !== 'ES256') throw wrong('which is not for ES256')
  if (!Number.isSafeInteger(file.nbf)) throw wrong('whose nbf is no time in seconds')
  const pair = keyPair(file)
  if (!pair) throw wrong('whose parts do not belong together')
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

/** undefined when the private part is not that of the public one. */
function keyPair({ kty, crv, d, x, y }: KeyFile) {
  try {
    const signing = createPrivateKey({ key: { kty, crv, d, x, y }, format: 'jwk' })
    const verifying = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
    const text = Buffer.from('a key signs for itself')
    return verify('sha256', text, verifying, sign('sha256', text, signing))
      ? { signing, verifying }
      : undefined
  } catch {
    return undefined
  }
}

/** The key that signs at this time; before any of them may, the first one. */
export function signingKey(keys: readonly Key[], nowSeconds: number): Key {
  const inOrder = keys.toSorted((a, b) => a.signsFrom - b.signsFrom)
  const key = inOrder.findLast(({ signsFrom }) => signsFrom <= nowSeconds) ?? inOrder[0]
  if (!key) throw new KeySetError('has no key')
  return key
}

/** The key that a token's header names; a token that names none is the secret's. */
export function verifyingKey(keys: readonly Key[], token: string): Key | undefined {
  const header = headerOf(token)
  return header && keys.find(({ kid }) => kid === header.kid)
}

function headerOf(token: string): { kid?: unknown } | undefined {
  try {
    const [head = ''] = token.split('.', 1)
    const header: unknown = JSON.parse(Buffer.from(head, 'base64url').toString())
    return typeof header === 'object' && header !== null ? header : undefined
  } catch {
    return undefined
  }
}

/** A public key as RFC 7517 has it. */
export interface PublicKey {
  kty: string
  crv: string
  x: string
  y: string
  kid: string
  use: 'sig'
  alg: 'ES256'
}

/** What the world may know of the keys: of the secret nothing. */
export function publicKeys(keys: readonly Key[]): PublicKey[] {
  return keys.flatMap(({ kid, verifying }) => {
    if (kid === undefined) return []
    const { kty = '', crv = '', x = '', y = '' } = verifying.export({ format: 'jwk' })
    return [{ kty, crv, x, y, kid, use: 'sig', alg: 'ES256' }]
  })
}
