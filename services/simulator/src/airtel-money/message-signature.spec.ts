import {
  constants,
  createCipheriv,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSigned, KEY_BITS, publicKeyOf } from './message-signature.js'

const newKey = () =>
  generateKeyPairSync('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey
const PRIVATE_KEY = newKey()

/** Signs as a client does that got the public key from the encryption-keys API. */
function sign(body: Buffer, privateKey = PRIVATE_KEY) {
  const [aesKey, iv] = [randomBytes(32), randomBytes(16)]
  const cipher = createCipheriv('aes-256-cbc', aesKey, iv)
  const key = createPublicKey({
    key: Buffer.from(publicKeyOf(privateKey), 'base64'),
    format: 'der',
    type: 'spki',
  })
  const secret = Buffer.from(`${aesKey.toString('base64')}:${iv.toString('base64')}`)
  const padding = constants.RSA_PKCS1_PADDING
  return {
    'x-signature': Buffer.concat([cipher.update(body), cipher.final()]).toString('base64'),
    'x-key': publicEncrypt({ key, padding }, secret).toString('base64'),
  }
}

const BODY = Buffer.from('{"reference": "Order 42", "transaction": {"amount": 5000.0}}')

describe('the signature of a message', () => {
  it('is valid for exactly the bytes that were signed', () => {
    const headers = sign(BODY)
    expect(isSigned(BODY, headers, PRIVATE_KEY)).toBe(true)
    fc.assert(
      fc.property(fc.nat(BODY.length - 1), fc.integer({ min: 1, max: 255 }), (index, bits) => {
        const other = Buffer.from(BODY)
        other[index]! ^= bits
        expect(isSigned(other, headers, PRIVATE_KEY)).toBe(false)
      }),
    )
  })

  it('is invalid for the same JSON without its spaces', () => {
    const compact = Buffer.from(JSON.stringify(JSON.parse(BODY.toString())))
    expect(isSigned(compact, sign(BODY), PRIVATE_KEY)).toBe(false)
  })

  it('is invalid with another key', () => {
    expect(isSigned(BODY, sign(BODY, newKey()), PRIVATE_KEY)).toBe(false)
  })

  it('is invalid without one of its headers', () => {
    for (const name of ['x-signature', 'x-key']) {
      expect(isSigned(BODY, { ...sign(BODY), [name]: undefined }, PRIVATE_KEY)).toBe(false)
    }
  })

  it('is invalid for any other headers', () => {
    const headers = fc.record({
      'x-signature': fc.oneof(fc.base64String(), fc.string()),
      'x-key': fc.oneof(fc.base64String(), fc.string()),
    })
    fc.assert(fc.property(headers, (given) => !isSigned(BODY, given, PRIVATE_KEY)))
  })
})
