import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { paymentInput } from './requests.js'
import { withPayments } from './with-payments.js'

const { payments, owner, user } = await withPayments()

const rows = async () => {
  const [row] = await payments.sql<{ n: number }>('SELECT count(*)::int AS n FROM payments')
  return row?.n
}

/** A request in JSON, with the amount in these characters. */
const paymentText = (amount: string) => JSON.stringify(paymentInput()).replace('5000', amount)

describe('POST /api/payments', () => {
  it('creates a payment with status INITIATED', async () => {
    const before = Date.now()
    const { status, body, headers } = await user.create({
      description: 'School fees',
      metadata: { order: '17' },
    })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-/),
      reference: `PAY-${body.id}`,
      amount: '5000',
      currency: 'UGX',
      paymentMethod: 'MOBILE_MONEY',
      customerPhone: '+256772123456',
      customerEmail: 'amina@example.com',
      description: 'School fees',
      metadata: { order: '17' },
      status: 'INITIATED',
      failure: null,
      lateSuccess: null,
      provider: 'manual',
      needsAttention: false,
      amountUnverified: false,
      providerName: null,
      providerTransactionId: null,
      lastWebhookId: null,
      lastWebhookAt: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: body.createdAt,
      version: 1,
    })
    expect(Math.abs(Date.parse(body.createdAt) - before)).toBeLessThan(10_000)
    expect(headers.get('location')).toBe(`/api/payments/${body.reference}`)
    expect(headers.get('etag')).toBe('"1"')
    expect(headers.get('idempotent-replayed')).toBeNull()
    const found = await user.get(body.reference)
    expect(found.body).toEqual(body)
  })

  it('stores the sub of the token as owner, and one event', async () => {
    const { body } = await user.create()
    const [row] = await payments.sql('SELECT owner_id FROM payments WHERE id = $1', body.id)
    expect(row).toEqual({ owner_id: owner.id })
    expect((await user.events(body.reference)).body.data).toHaveLength(1)
  })

  it.each([
    ['UGX', 5000, '5000'],
    ['UGX', '5000', '5000'],
    ['USD', 50, '50.00'],
    ['USD', '50.5', '50.50'],
    ['USD', 0.1, '0.10'],
    ['BHD', '1.234', '1.234'],
    ['XCG', '1.23', '1.23'],
    ['UGX', 1e12, '1000000000000'],
    ['USD', '1000000000000.00', '1000000000000.00'],
  ])('returns %s %s as %s', async (currency, amount, expected) => {
    const { body } = await user.create({ currency, amount })
    expect(body).toMatchObject({ currency, amount: expected })
  })

  it.each([
    ['5000.0', '5000'],
    ['5e3', '5000'],
    ['5000.000000000000000000', '5000'],
    ['999999999999', '999999999999'],
  ])('takes the JSON number %s as %s', async (amount, expected) => {
    const { status, body } = await user.createText(paymentText(amount))
    expect([status, body.amount]).toEqual([201, expected])
  })

  it.each([
    '4999.99999999999999999',
    '5000.00000000000000001',
    '999999999999.99999999',
    '"4999.99999999999999999"',
    '4999999999999999999999e-18',
    '12345678901234567890',
    '1e400',
    '1e-400',
    '"5e3"',
    '"5000.0"',
  ])('rejects the amount %s, whose digits are not those of UGX', async (amount) => {
    const before = await rows()
    const { status, body } = await user.createText(paymentText(amount))
    expect(status).toBe(400)
    expect(body.errors).toEqual([{ field: 'amount', message: expect.any(String) }])
    expect(await rows()).toBe(before)
  })

  it('stores money as integer minor units', async () => {
    const { body } = await user.create({ currency: 'USD', amount: '12.34' })
    const [row] = await payments.sql('SELECT amount_minor FROM payments WHERE id = $1', body.id)
    expect(row).toEqual({ amount_minor: '1234' })
  })

  it('normalises the customer’s phone and email', async () => {
    const { body } = await user.create({
      customerPhone: '0772 123 456',
      customerEmail: ' Amina@Example.COM ',
    })
    expect(body).toMatchObject({
      customerPhone: '+256772123456',
      customerEmail: 'amina@example.com',
    })
  })

  it('accepts null for optional fields', async () => {
    const { status, body } = await user.create({ description: null, metadata: null })
    expect(status).toBe(201)
    expect(body).toMatchObject({ description: null, metadata: {} })
  })

  it('accepts metadata and strings up to their limits, in any script', async () => {
    const keys = Array.from({ length: 20 }, (_, n) => `${n}`.padEnd(40, 'k'))
    const metadata = Object.fromEntries(keys.map((key) => [key, 'v'.repeat(500)]))
    const description = '😀'.repeat(250)
    const { status, body } = await user.create({ metadata, description })
    expect(status).toBe(201)
    expect(body).toMatchObject({ metadata, description })
  })
})

it('returns any metadata unchanged', async () => {
  const refused = /\0|^(__proto__|constructor|prototype)$/
  const text = (maxLength: number) =>
    fc.string({ unit: 'grapheme', minLength: 1, maxLength }).filter((one) => !refused.test(one))
  const key = fc.oneof(text(20), fc.constantFrom('toString', 'then', 'toJSON', 'length', '0'))
  const metadata = fc.dictionary(key, text(40), { maxKeys: 20 })
  const isReturned = fc.asyncProperty(metadata, async (given) => {
    const { status, body } = await user.create({ metadata: given })
    expect(status).toBe(201)
    expect(body.metadata).toEqual({ ...given })
  })
  await fc.assert(isReturned, { numRuns: 40 })
})

describe('POST /api/payments rejects with 400', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['no amount', { amount: undefined }, 'amount'],
    ['zero', { amount: 0 }, 'amount'],
    ['a negative amount', { amount: -1 }, 'amount'],
    ['half a shilling', { amount: 0.5 }, 'amount'],
    ['half a shilling as a string', { amount: '0.5' }, 'amount'],
    ['three digits of a dollar', { amount: '1.234', currency: 'USD' }, 'amount'],
    ['10^30', { amount: 1e30 }, 'amount'],
    ['one over 10^12', { amount: 1_000_000_000_001 }, 'amount'],
    ['an amount with a comma', { amount: '5,000' }, 'amount'],
    ['an amount that is true', { amount: true }, 'amount'],
    ['an amount that is an object', { amount: { value: 1 } }, 'amount'],
    ['no currency', { currency: undefined }, 'currency'],
    ['a currency in lower case', { currency: 'ugx' }, 'currency'],
    ['a code that is not money', { currency: 'XXX' }, 'currency'],
    ['a unit of account', { currency: 'CLF' }, 'currency'],
    ['a withdrawn currency', { currency: 'ANG' }, 'currency'],
    ['a currency that is a list', { currency: ['UGX'] }, 'currency'],
    ['no payment method', { paymentMethod: undefined }, 'paymentMethod'],
    ['an unknown payment method', { paymentMethod: 'CASH' }, 'paymentMethod'],
    ['no phone', { customerPhone: undefined }, 'customerPhone'],
    ['an impossible phone', { customerPhone: '123' }, 'customerPhone'],
    [
      'a phone longer than E.164 allows',
      { customerPhone: `+49${'2'.repeat(14)}` },
      'customerPhone',
    ],
    ['a phone that is a number', { customerPhone: 256772123456 }, 'customerPhone'],
    ['no email', { customerEmail: undefined }, 'customerEmail'],
    ['a malformed email', { customerEmail: 'amina' }, 'customerEmail'],
    ['a description over 500 characters', { description: 'x'.repeat(501) }, 'description'],
    ['a description that is a number', { description: 5 }, 'description'],
    ['metadata that is a list', { metadata: ['a'] }, 'metadata'],
    ['metadata that is a string', { metadata: 'a' }, 'metadata'],
    ['a metadata value that is a number', { metadata: { a: 1 } }, 'metadata'],
    ['a metadata value over 500', { metadata: { a: 'x'.repeat(501) } }, 'metadata'],
    ['a metadata key over 40', { metadata: { ['k'.repeat(41)]: 'x' } }, 'metadata'],
    ['an empty metadata key', { metadata: { '': 'x' } }, 'metadata'],
    [
      '21 metadata keys',
      { metadata: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, 'v'])) },
      'metadata',
    ],
    ['an unknown field', { status: 'SUCCESS' }, 'status'],
    ['an owner', { ownerId: 'me' }, 'ownerId'],
  ])('%s', async (_, changes, field) => {
    const before = await rows()
    const { status, body } = await user.create(changes)
    expect(status).toBe(400)
    expect(body.type).toBe('/problems/validation')
    expect(body.errors.map((error: { field: string }) => error.field)).toContain(field)
    expect(body.errors).toHaveLength(1)
    expect(await rows()).toBe(before)
  })

  it('several invalid fields, and names each', async () => {
    const { body } = await user.create({ amount: 0, currency: 'x', customerEmail: 5, extra: 1 })
    const fields = body.errors.map((error: { field: string }) => error.field)
    expect(fields.sort()).toEqual(['amount', 'currency', 'customerEmail', 'extra'])
  })

  it.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['a string', '"payment"'],
    ['a number', '1'],
  ])('a body that is %s', async (_, body) => {
    const answer = await payments.client.post('/api/payments', body, { token: owner.token })
    expect(answer.status).toBe(400)
    expect(answer.body.type).toBe('/problems/validation')
  })

  it('a request without a body', async () => {
    const answer = await payments.client.send('POST', '/api/payments', { token: owner.token })
    expect(answer.status).toBe(400)
  })

  it('a body with __proto__', async () => {
    const twice = JSON.stringify(paymentInput()).replace('{', '{"__proto__":{"admin":true},')
    const answer = await payments.client.post('/api/payments', twice, { token: owner.token })
    expect(answer.status).toBe(400)
  })
})
