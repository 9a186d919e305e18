import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { Webhook } from 'standardwebhooks'

/**
 * Signatures of notifications: Standard Webhooks 1.0. The specification's library signs `v1` only, so `v1a` is here.
 */

export const SCHEMES = ['v1', 'v1a'] as const

/** `v1`: HMAC-SHA256 with a secret that the merchant has too. `v1a`: ed25519; the merchant has the public key. */
export type Scheme = (typeof SCHEMES)[number]

/** The length of a secret of `v1`, and of the seed of a private key of `v1a`. The specification: 24 to 64 for `v1`. */
export const SECRET_BYTES = 32

/** A PKCS #8 private key of ed25519 (RFC 8410, section 7) up to its seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** What is signed. */
export interface Message {
  /** `evt_…`, without a full stop. */
  readonly eventId: string
  /** The time of the try. */
  readonly at: Date
  /** The exact bytes that are sent, as a string. */
  readonly body: string
}

/** A secret of an endpoint. Its key is private, so that no log line or JSON contains it. */
export class SigningSecret {
  readonly #sign: (message: Message) => string

  /** @param bytes the secret of `v1`, or the seed of `v1a` */
  constructor(
    readonly scheme: Scheme,
    bytes: Buffer,
  ) {
    this.#sign = scheme === 'v1' ? signer(bytes) : asymmetricSigner(privateKeyOf(bytes))
  }

  /** The signature with its scheme, such as `v1,K5oZ…=`. */
  sign(message: Message): string {
    return this.#sign(message)
  }
}

function signer(secret: Buffer) {
  const webhook = new Webhook(secret, { format: 'raw' })
  return ({ eventId, at, body }: Message) => webhook.sign(eventId, at, body)
}

function asymmetricSigner(key: KeyObject) {
  return ({ eventId, at, body }: Message) => {
    const content = `${eventId}.${unixSeconds(at)}.${body}`
    return `v1a,${sign(null, Buffer.from(content), key).toString('base64')}`
  }
}

function privateKeyOf(seed: Buffer): KeyObject {
  if (seed.length !== SECRET_BYTES) throw new Error('a seed of ed25519 has 32 bytes')
  return createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  })
}

/** The public key of a seed of `v1a`, as merchants get it: `whpk_` and 32 bytes in base64. */
export function publicKeyOf(seed: Buffer): string {
  const der = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' })
  return `whpk_${der.subarray(-32).toString('base64')}`
}

/** A secret of `v1`, as merchants get it. */
export function symmetricSecret(bytes: Buffer): string {
  return `whsec_${bytes.toString('base64')}`
}

export interface SignatureHeaders {
  readonly 'webhook-id': string
  /** Unix seconds. */
  readonly 'webhook-timestamp': string
  /** One for each secret, separated by spaces. */
  readonly 'webhook-signature': string
}

/**
 * The headers of a notification that all secrets of its endpoint sign.
 *
 * @param secrets those that are valid now, at least one
 */
export function signatureHeaders({
  secrets,
  ...message
}: Message & { readonly secrets: readonly SigningSecret[] }): SignatureHeaders {
  if (secrets.length === 0) throw new Error('a notification is not sent without a signature')
  return {
    'webhook-id': message.eventId,
    'webhook-timestamp': String(unixSeconds(message.at)),
    'webhook-signature': secrets.map((secret) => secret.sign(message)).join(' '),
  }
}

function unixSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}
