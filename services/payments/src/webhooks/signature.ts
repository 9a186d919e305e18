import { Webhook, WebhookVerificationError } from 'standardwebhooks'

/** Verifies providers' signatures: Standard Webhooks 1.0, symmetric (`v1`), five minutes of tolerance. */

/** A provider and one of its secrets. During a rotation, a provider has several. */
export interface ProviderSecret {
  readonly provider: string
  readonly verifier: Webhook
}

/** The headers of a signed webhook. */
export type SignatureHeaders = Readonly<
  Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>
>

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
  const length = Buffer.from(encoded, 'base64').length
  const isBase64 = /^[A-Za-z\d+/]+={0,2}$/.test(encoded) && encoded.length % 4 === 0
  if (!PROVIDER.test(provider) || !isBase64) return undefined
  if (length < SECRET_BYTES.min || length > SECRET_BYTES.max) return undefined
  return { provider, verifier: new Webhook(encoded) }
}

/** The provider whose secret signed this body, at a time within the tolerance; undefined if none did. */
export function signer(
  secrets: readonly ProviderSecret[],
  body: string,
  headers: SignatureHeaders,
): string | undefined {
  return secrets.find(({ verifier }) => isSignedBy(verifier, body, headers))?.provider
}

function isSignedBy(verifier: Webhook, body: string, headers: SignatureHeaders): boolean {
  try {
    verifier.verify(body, { ...headers }, { jsonParse: false })
    return true
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false
    throw error
  }
}
