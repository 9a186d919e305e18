import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAmount } from '../money/money.js'
import { fingerprint, readKey } from './key.js'

describe('an Idempotency-Key', () => {
  it.each(['a', '~', 'with a space', 'x'.repeat(255), '00000000-0000-4000-8000-000000000000'])(
    'is valid as %j',
    (key) => expect(readKey(key, 'POST /', {})?.key).toBe(key),
  )

  it.each(['', 'x'.repeat(256), 'é', 'tab\t', 'line\n', '\u007f', 'ключ', '🔑'])(
    'is invalid as %j',
    (key) => expect(() => readKey(key, 'POST /', {})).toThrow(/^validation: Idempotency-Key/),
  )
})

/** Part of the request from which the controller computes the fingerprint. */
const command = (amount: unknown, currency = 'UGX') => ({
  currency,
  amountMinor: parseAmount(amount, currency),
})

const json = fc.jsonValue({ maxDepth: 4 })

describe('a fingerprint', () => {
  it('is equal for an amount as a number and as a string', () => {
    expect(fingerprint(command(5000))).toEqual(fingerprint(command('5000')))
    expect(fingerprint(command(50, 'USD'))).toEqual(fingerprint(command('50.00', 'USD')))
    expect(fingerprint(command(5000))).not.toEqual(fingerprint(command(5001)))
    expect(fingerprint(command(5000))).not.toEqual(fingerprint(command(5000, 'RWF')))
  })

  it('does not depend on the order of fields, at any depth', () => {
    const one = { a: 1, metadata: { x: 'y', z: 'w' } }
    const other = { metadata: { z: 'w', x: 'y' }, a: 1 }
    expect(fingerprint(one)).toEqual(fingerprint(other))
    const object = fc.dictionary(fc.string(), json)
    fc.assert(
      fc.property(object, (fields) => {
        const reversed = Object.fromEntries(Object.entries(fields).reverse())
        expect(fingerprint(reversed)).toEqual(fingerprint(fields))
      }),
    )
  })

  it('is equal for a null and an absent field', () => {
    expect(fingerprint({ a: 1, description: null })).toEqual(fingerprint({ a: 1 }))
    expect(fingerprint({ a: 1, description: undefined })).toEqual(fingerprint({ a: 1 }))
    expect(fingerprint({ a: 1, description: '' })).not.toEqual(fingerprint({ a: 1 }))
  })

  it.each<[string, unknown, unknown]>([
    ['two values', { a: 'b' }, { a: 'c' }],
    ['two names', { a: 'b' }, { b: 'a' }],
    ['a string and a number', { a: '1' }, { a: 1 }],
    ['a string and a bigint', { a: '1n' }, { a: 1n }],
    ['a list and its reverse', { a: ['b', 'c'] }, { a: ['c', 'b'] }],
    ['a string with a comma and two strings', { a: ['b,c'] }, { a: ['b', 'c'] }],
    ['a JSON string and an object', { a: '{"b":"c"}' }, { a: { b: 'c' } }],
    ['no condition and one without versions', { versions: undefined }, { versions: [] }],
  ])('differs for %s', (_, one, other) => {
    expect(fingerprint(one)).not.toEqual(fingerprint(other))
  })

  it('differs for any two different requests', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), fc.string(), fc.string(), (a, k, v) => {
        fc.pre(a[k] !== v)
        expect(fingerprint({ ...a, [k]: v })).not.toEqual(fingerprint(a))
      }),
    )
  })
})
