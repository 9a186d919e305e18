import { createSecretKey, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seal, UnsealError, unseal } from './seal.js'
import type { SealKey } from './seal-keys.js'

const keyOf = (kid: string): SealKey => ({
  kid,
  sealsFrom: 0,
  key: createSecretKey(randomBytes(32)),
})
const [first, second] = [keyOf('a'), keyOf('b')]
const keys = [first, second]
const value = Buffer.from('a secret of a merchant')

describe('a sealed value', () => {
  it('is opened by the key that sealed it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.string(), (bytes, subject) => {
        const sealed = seal(second, subject, Buffer.from(bytes))
        expect(sealed.kid).toBe('b')
        expect(unseal(keys, subject, sealed)).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('has a nonce of 12 bytes, the ciphertext and a tag of 16, and does not contain the value', () => {
    const { bytes } = seal(first, 'subject', value)
    expect(bytes).toHaveLength(12 + value.length + 16)
    expect(bytes.includes(value)).toBe(false)
  })

  it('differs each time', () => {
    const all = Array.from({ length: 100 }, () => seal(first, 's', value).bytes)
    expect(new Set(all.map((bytes) => bytes.toString('hex'))).size).toBe(100)
    expect(new Set(all.map((bytes) => bytes.subarray(0, 12).toString('hex'))).size).toBe(100)
  })

  it('is not opened for another subject', () => {
    expect(() => unseal(keys, 'other', seal(first, 'subject', value))).toThrow(UnsealError)
  })

  it('is not opened by another key, also under the same name', () => {
    const sealed = seal(first, 's', value)
    expect(() => unseal(keys, 's', { ...sealed, kid: 'b' })).toThrow(/changed/)
    expect(() => unseal([keyOf('a')], 's', sealed)).toThrow(/changed/)
    expect(() => unseal([second], 's', sealed)).toThrow(/not in the key set/)
  })

  it('is not opened after a change of any byte', () => {
    const { kid, bytes } = seal(first, 's', value)
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes)
      changed[i] = (changed[i] as number) ^ 1
      expect(() => unseal(keys, 's', { kid, bytes: changed })).toThrow(UnsealError)
    }
  })

  it('is not opened if it is cut off', () => {
    const { kid, bytes } = seal(first, 's', value)
    for (const length of [0, 1, 12, 27, 28, bytes.length - 1]) {
      const cut = { kid, bytes: bytes.subarray(0, length) }
      expect(() => unseal(keys, 's', cut)).toThrow(UnsealError)
    }
  })
})
