import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { Scheme } from './programs.ts'

/** Deliveries that are signed by node:crypto: the specification's words, without its library or the service. */

/** A secret of a scheme, as the sender has it, and what the merchant has of it. */
export interface Key {
  readonly merchantSecret: string
  sign(content: Buffer): string
}

export function newKey(scheme: Scheme): Key {
  return scheme === 'v1' ? symmetricKey(randomBytes(32)) : asymmetricKey()
}

function symmetricKey(secret: Buffer): Key {
  return {
    merchantSecret: `whsec_${secret.toString('base64')}`,
    sign: (content) => `v1,${createHmac('sha256', secret).update(content).digest('base64')}`,
  }
}

function asymmetricKey(): Key {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    merchantSecret: `whpk_${rawOf(publicKey).toString('base64')}`,
    sign: (content) => `v1a,${sign(null, content, privateKey).toString('base64')}`,
  }
}

/** The 32 bytes of a public key. */
function rawOf(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-32)
}

export interface Delivery {
  readonly id: string
  readonly atSeconds: number
  readonly body: Buffer
  readonly signature: string
}

const BODY = JSON.stringify({
  type: 'payment.succeeded',
  timestamp: '2026-11-29T08:00:00.000Z',
  data: {
    reference: 'PAY-019aa0a0-0000-7000-8000-000000000000',
    description: 'Café ☕',
    version: 3,
  },
})

/** A valid delivery with a new id, signed by all keys. */
export function delivery(keys: readonly Key[], ageSeconds = 0): Delivery {
  const id = `evt_${randomBytes(16).toString('hex')}`
  const atSeconds = Math.floor(Date.now() / 1000) - ageSeconds
  const body = Buffer.from(BODY)
  const content = Buffer.concat([Buffer.from(`${id}.${atSeconds}.`), body])
  return { id, atSeconds, body, signature: keys.map((key) => key.sign(content)).join(' ') }
}

/** Sends a delivery. @returns the status of the response */
export async function send(url: string, { id, atSeconds, body, signature }: Delivery) {
  const response = await fetch(url, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(atSeconds),
      'webhook-signature': signature,
    },
    signal: AbortSignal.timeout(10_000),
  })
  await response.arrayBuffer()
  return response.status
}
