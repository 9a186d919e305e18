import { createHmac, hash, timingSafeEqual } from 'node:crypto'

/**
 * Verifies providers' signatures: Standard Webhooks 1.0, symmetric (`v1`), five minutes of tolerance. Anybody can
 * send a body of 100 kB with a signature: `node:crypto` verifies it in 0.1 ms for each secret, the specification's
 * library in 1.6 ms.
 */

/** A provider and one of its secrets. During a rotation, a provider has several. */
export interface ProviderSecret {
  readonly provider: string
  /** Identifies the secret in stored messages and reveals nothing of it. */
  readonly keyId: string
  readonly key: Buffer
}

const SIGNATURE_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const

/** The headers of a signed webhook. */
export type SignatureHeaders = Readonly<Record<(typeof SIGNATURE_HEADERS)[number], string>>

/** A signature that was verified, with the headers that are needed to verify it again. */
export interface VerifiedSignature {
  readonly provider: string
  readonly keyId: string
  readonly headers: SignatureHeaders
}

const PROVIDER = /^[a-z][a-z0-9-]{0,39}$/
/** The specification requires 24 to 64 random bytes. */
const SECRET_BYTES = { min: 24, max: 64 }
const TOLERANCE_SECONDS = 300

/**
 * Parses `mtn=whsec_…,airtel=whsec_…`, separated by commas or line breaks, with one entry for each secret.
 *
 * @returns undefined if an entry is not `provider=secret` with 24 to 64 bytes in base64
 */
export function parseSecrets(text: string): ProviderSecret[] | undefined {
  const entries = text
    .split(/[,\r\n]+/)
    .map((entry) => entry.trim())
    .filter(Boolean)
  const secrets = entries.map(parseSecret)
  return secrets.every((secret) => secret !== undefined) ? secrets : undefined
}

function parseSecret(entry: string): ProviderSecret | undefined {
  const [provider = '', ...rest] = entry.split('=')
  const encoded = rest.join('=').replace(/^whsec_/, '')
  const bytes = Buffer.from(encoded, 'base64')
  const isBase64 = /^[A-Za-z\d+/]+={0,2}$/.test(encoded) && encoded.length % 4 === 0
  if (!PROVIDER.test(provider) || !isBase64) return undefined
  if (bytes.length < SECRET_BYTES.min || bytes.length > SECRET_BYTES.max) return undefined
  return { provider, keyId: keyIdOf(bytes), key: bytes }
}

/** The first 64 bits of the secret's SHA-256. A secret has at least 192 random bits, so that is no risk. */
function keyIdOf(secret: Buffer): string {
  return hash('sha256', secret, 'hex').slice(0, 16)
}

/** The signature of the secret that signed this body, at a time within the tolerance; undefined if none did. */
export function verifySignature(
  secrets: readonly ProviderSecret[],
  body: Buffer,
  given: Readonly<Record<string, unknown>>,
  nowMs: number,
): VerifiedSignature | undefined {
  const headers = signatureHeaders(given)
  if (!headers || !isRecent(headers['webhook-timestamp'], nowMs)) return undefined
  const secret = secrets.find((each) => wasSignedBy(each, body, headers))
  return secret && { provider: secret.provider, keyId: secret.keyId, headers }
}

/** The headers of a signature among others; undefined if one of them is missing. */
export function signatureHeaders(
  given: Readonly<Record<string, unknown>>,
): SignatureHeaders | undefined {
  const entries = SIGNATURE_HEADERS.map((name) => [name, given[name]] as const)
  const isComplete = entries.every(([, value]) => typeof value === 'string' && value !== '')
  return isComplete ? (Object.fromEntries(entries) as SignatureHeaders) : undefined
}

/** @param timestamp Unix seconds */
export function isRecent(timestamp: string, nowMs: number): boolean {
  const now = Math.floor(nowMs / 1000)
  return /^\d{1,12}$/.test(timestamp) && Math.abs(now - Number(timestamp)) <= TOLERANCE_SECONDS
}

/** Whether the secret made one of the signatures, regardless of when. */
export function wasSignedBy(
  { key }: ProviderSecret,
  body: Buffer,
  headers: SignatureHeaders,
): boolean {
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.`
  const mac = createHmac('sha256', key).update(signed).update(body).digest('base64')
  const expected = Buffer.from(`v1,${mac}`)
  return headers['webhook-signature'].split(' ').some((signature) => {
    const bytes = Buffer.from(signature)
    return bytes.length === expected.length && timingSafeEqual(bytes, expected)
  })
}
