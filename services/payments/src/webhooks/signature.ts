import { hash } from 'node:crypto'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'

/** Verifies providers' signatures: Standard Webhooks 1.0, symmetric (`v1`), five minutes of tolerance. */

/** A provider and one of its secrets. During a rotation, a provider has several. */
export interface ProviderSecret {
  readonly provider: string
  /** Identifies the secret in stored messages and reveals nothing of it. */
  readonly keyId: string
  readonly verifier: Webhook
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
  return { provider, keyId: keyIdOf(bytes), verifier: new Webhook(encoded) }
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
): VerifiedSignature | undefined {
  const entries = SIGNATURE_HEADERS.map((name) => [name, given[name]] as const)
  const headers = Object.fromEntries(entries) as SignatureHeaders
  const secret = secrets.find(({ verifier }) => isSignedBy(verifier, body, headers))
  return secret && { provider: secret.provider, keyId: secret.keyId, headers }
}

function isSignedBy(verifier: Webhook, body: Buffer, headers: SignatureHeaders): boolean {
  try {
    verifier.verify(body, { ...headers }, { jsonParse: false })
    return true
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false
    throw error
  }
}

/** Whether the secret made one of the signatures, regardless of when. For stored messages only. */
export function wasSignedBy(
  { verifier }: ProviderSecret,
  body: Buffer,
  headers: SignatureHeaders,
): boolean {
  const signedAt = new Date(Number.parseInt(headers['webhook-timestamp'], 10) * 1000)
  const expected = verifier.sign(headers['webhook-id'], signedAt, body)
  return headers['webhook-signature'].split(' ').includes(expected)
}
