import { constants, createDecipheriv, createPublicKey, privateDecrypt } from 'node:crypto'

/**
 * Airtel's message signing. The client encrypts the body with AES-256-CBC under a fresh key, which is the header
 * `x-signature`, and the key with RSA, which is the header `x-key`.
 */

/** RSA-1024, as Airtel has. */
export const KEY_BITS = 1_024

/** The public key in the form of the encryption-keys API: SPKI in base64. @param privateKey PKCS #8 in PEM */
export function publicKeyOf(privateKey: string): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64')
}

/** Whether the headers sign exactly these bytes. */
export function isSigned(
  body: Buffer,
  headers: Readonly<Record<string, unknown>>,
  privateKey: string,
): boolean {
  const { 'x-signature': signature, 'x-key': encryptedKey } = headers
  if (typeof signature !== 'string' || typeof encryptedKey !== 'string') return false
  try {
    const secret = privateDecrypt(
      { key: privateKey, padding: constants.RSA_PKCS1_PADDING },
      Buffer.from(encryptedKey, 'base64'),
    )
    const [key = '', iv = ''] = secret.toString('latin1').split(':')
    const bytes = [Buffer.from(key, 'base64'), Buffer.from(iv, 'base64')] as const
    const decipher = createDecipheriv('aes-256-cbc', ...bytes)
    const parts = [decipher.update(Buffer.from(signature, 'base64')), decipher.final()]
    return Buffer.concat(parts).equals(body)
  } catch {
    // Another key, damaged base64, or a wrong padding.
    return false
  }
}
