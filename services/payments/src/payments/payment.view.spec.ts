import fc from 'fast-check'
import { v4, v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { idOf, referenceOf } from './payment.view.js'

const time = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })

describe('a reference', () => {
  it('is PAY- and the payment’s id, and leads back to it', () => {
    fc.assert(
      fc.property(time, (at) => {
        const id = v7({ msecs: at.getTime() })
        expect(referenceOf(id)).toBe(`PAY-${id}`)
        expect(idOf(referenceOf(id))).toBe(id)
      }),
    )
  })

  it.each([
    '',
    'PAY-',
    v7(),
    `PAY-${v4()}`,
    `pay-${v7()}`,
    `PAY-${v7().toUpperCase()}`,
    `PAY-${v7()} `,
    `PAY-${v7()}\n`,
    `PAY-${v7()}0`,
    `PAY-${v7()}' OR '1'='1`,
    'PAY-00000000-0000-0000-0000-000000000000',
  ])('is not %j', (text) => {
    expect(idOf(text)).toBeUndefined()
  })

  it('is no other text', () => {
    fc.assert(fc.property(fc.string(), (text) => idOf(text) === undefined))
  })
})
