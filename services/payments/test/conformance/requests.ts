import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digitsOf } from '../../src/money/currencies.js'
import { formatAmount } from '../../src/money/money.js'
import type { PaymentFacts } from '../../src/providers/charge.js'
import type { Prepared } from './adapter-case.js'

/** What an adapter sends. */
export function describeRequests<Settings>(given: Prepared<Settings>) {
  const { adapter, account, initiate, query, context, attempt, charge, chargeWith } = given
  const requestOf = (facts: Partial<PaymentFacts> = {}) => {
    const made = chargeWith(facts)
    if (typeof made === 'string') throw new Error(`the account can't carry the ${made}`)
    return initiate.request(made, context)
  }

  describe(`${adapter.name}: requests`, () => {
    it('R10: texts have 1 to textLength characters of [A-Za-z0-9 .-], for every payment', () => {
      const { texts } = given.stated(requestOf())
      expect(texts.length).toBeGreaterThan(0)
      for (const text of texts) {
        expect(text).toMatch(/^[A-Za-z0-9 .-]+$/)
        expect(String(text).length).toBeLessThanOrEqual(adapter.capabilities.textLength)
      }
    })

    it('R11: the currency is the account’s, and a payment in another one has no request', () => {
      const other = account.currency === 'USD' ? 'KES' : 'USD'
      expect(given.stated(requestOf()).currency ?? account.currency).toBe(account.currency)
      expect(chargeWith({ currency: other })).toBe('currency')
    })

    it('R12: an amount is sent exactly or not at all', () => {
      const places = digitsOf(account.currency) ?? 0
      const unit = 10n ** BigInt(places - account.digits)
      fc.assert(
        fc.property(fc.bigInt(1n, 10n ** 12n), (units) => {
          const amountMinor = units * unit
          const { amount } = given.stated(requestOf({ amountMinor }))
          const decimal = formatAmount(amountMinor, account.currency)
          expect(Number(amount)).toBe(Number(decimal))
          const [, fraction = ''] = String(amount).split('.')
          expect(fraction.length).toBeLessThanOrEqual(account.digits)
          expect(String(amount)).toMatch(/^\d+(\.\d+)?$/)
        }),
      )
      if (unit === 1n) return
      const inexact = { amountMinor: unit * 3n + 1n }
      expect(chargeWith(inexact)).toBe('amount')
    })

    it.each(given.phones)('R13: the phone number %s is sent as %s', (phone, payer) => {
      const made = chargeWith({ phone })
      const sent =
        typeof made === 'string' ? made : given.stated(initiate.request(made, context)).payer
      expect(sent).toBe(payer ?? 'phone')
    })

    it('R17: a repeated request has the same reference, which the query names', () => {
      const { path, body } = query.request(charge, context)
      const isOurs = adapter.capabilities.reference === 'ours'
      const queried = isOurs ? attempt.reference : attempt.providerReference
      expect(`${path} ${Buffer.from(body ?? []).toString()}`).toContain(queried)
      const stated = [requestOf(), requestOf()].map((each) => given.stated(each).reference)
      const expected = isOurs ? attempt.reference : stated[0]
      expect(stated).toEqual([expected, expected])
    })

    it('a reference is new for each attempt, and of the provider’s form', () => {
      const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 })
      fc.assert(
        fc.property(sixteen, fc.uuid({ version: 7 }), (random, id) => {
          expect(adapter.newReference(random, `PAY-${id}`)).toMatch(given.referenceForm)
        }),
      )
      const others = [1, 2].map((byte) =>
        adapter.newReference(new Uint8Array(16).fill(byte), `PAY-${byte}`),
      )
      expect(new Set(others).size).toBe(2)
    })

    it('a request needs only grants that the adapter has, and its head is visible ASCII', () => {
      const names = [
        ...initiate.needs(context.account.settings),
        ...query.needs(context.account.settings),
      ]
      const grants = Object.entries(adapter.grants ?? {})
      expect(grants.map(([name]) => name)).toEqual(expect.arrayContaining(names))
      const requests = [requestOf(), query.request(charge, context)]
      for (const { path, headers } of [
        ...requests,
        ...grants.map(([, each]) => each.request(context)),
      ]) {
        expect(path).toMatch(/^\/[\x21-\x7E]*$/)
        for (const [name, value] of Object.entries(headers)) {
          expect(name).toMatch(/^[a-z0-9-]+$/)
          expect(value).toMatch(/^[\x20-\x7E]+$/)
        }
        for (const secret of Object.values(given.credentials)) expect(path).not.toContain(secret)
      }
    })
  })
}
