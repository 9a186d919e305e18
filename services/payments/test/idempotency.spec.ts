import { randomUUID } from 'node:crypto'
import { v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { lockRow, untilBlocked } from './locks.js'
import { as, type As, newPayment, paymentInput } from './requests.js'
import { withPayments } from './with-payments.js'

const { payments, owner, user } = await withPayments()

const newKey = () => ({ 'idempotency-key': randomUUID() })

const count = async (table: string) => {
  const [row] = await payments.sql<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)
  return row?.n ?? -1
}

/** The parts of a response that are the same for every replay. */
function essence({ status, body, headers }: Awaited<ReturnType<As['create']>>) {
  const { requestId: _, ...rest } = body as Record<string, unknown>
  return { status, body: rest, etag: headers.get('etag'), location: headers.get('location') }
}

describe('the same request with the same Idempotency-Key', () => {
  it('creates one payment and replays the first 201', async () => {
    const before = await count('payments')
    const key = newKey()
    const first = await user.create({}, key)
    const second = await user.create({}, key)
    expect(first.status).toBe(201)
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(essence(second)).toEqual(essence(first))
    expect(await count('payments')).toBe(before + 1)
  })

  it('replays the payment at the version of the first response', async () => {
    const key = newKey()
    const first = await user.create({ metadata: { order: '1' } }, key)
    const reference = first.body.reference as string
    const moveKey = newKey()
    const moved = await user.move(reference, 'PENDING', moveKey, { reason: 'r' })
    await user.move(reference, 'SUCCESS', {}, { providerTransactionId: 'MTN-2' })
    const created = await user.create({ metadata: { order: '1' } }, key)
    expect(essence(created)).toEqual(essence(first))
    const movedAgain = await user.move(reference, 'PENDING', moveKey, { reason: 'r' })
    expect(movedAgain.status).toBe(200)
    expect(movedAgain.headers.get('idempotent-replayed')).toBe('true')
    expect(essence(movedAgain)).toEqual(essence(moved))
    expect((await user.get(reference)).body).toMatchObject({ status: 'SUCCESS', version: 3 })
  })

  it('replays the 400 of a transition, even if it is allowed now', async () => {
    const reference = await newPayment(user)
    const key = newKey()
    const first = await user.move(reference, 'SUCCESS', key)
    expect(first.status).toBe(400)
    await user.move(reference, 'PENDING')
    const second = await user.move(reference, 'SUCCESS', key)
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(essence(second)).toEqual(essence(first))
    expect((await user.get(reference)).body.status).toBe('PENDING')
    expect((await user.move(reference, 'SUCCESS')).status).toBe(200)
  })

  it('replays a 412, even if the version matches now', async () => {
    const reference = await newPayment(user)
    const headers = { ...newKey(), 'if-match': '"2"' }
    const first = await user.move(reference, 'PENDING', headers)
    expect(first.status).toBe(412)
    await user.move(reference, 'PENDING')
    const second = await user.move(reference, 'PENDING', headers)
    expect(second.status).toBe(412)
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(essence(second)).toEqual(essence(first))
  })

  it('is recognised in another spelling: number or string, order, form, null', async () => {
    const key = newKey()
    const first = await user.create({ amount: 5000, description: null }, key)
    const { token } = owner
    const reversed = Object.fromEntries(Object.entries(paymentInput({ amount: '5000' })).reverse())
    const spelled = { ...reversed, customerPhone: '0772123456', customerEmail: 'AMINA@example.com' }
    const second = await payments.client.post('/api/payments', spelled, { token, headers: key })
    expect(essence(second)).toEqual(essence(first))
    expect(second.headers.get('idempotent-replayed')).toBe('true')
  })
})

describe('another request with the same Idempotency-Key', () => {
  it.each([
    ['another amount', { amount: 5001 }],
    ['another currency', { currency: 'RWF' }],
    ['another description', { description: 'x' }],
    ['other metadata', { metadata: { a: 'b' } }],
  ])('returns 422 for %s', async (_, changes) => {
    const key = newKey()
    await user.create({}, key)
    const before = await count('payments')
    const { status, body, headers } = await user.create(changes, key)
    expect(status).toBe(422)
    expect(body.type).toBe('/problems/idempotency-key-reused')
    expect(headers.get('idempotent-replayed')).toBeNull()
    expect(await count('payments')).toBe(before)
  })

  it('returns 422 for another status, reason or If-Match', async () => {
    const reference = await newPayment(user)
    const key = newKey()
    await user.move(reference, 'PENDING', key)
    for (const answer of [
      await user.move(reference, 'SUCCESS', key),
      await user.move(reference, 'PENDING', key, { reason: 'x' }),
      await user.move(reference, 'PENDING', { ...key, 'if-match': '"1"' }),
    ]) {
      expect(answer.status).toBe(422)
    }
    expect((await user.get(reference)).body.version).toBe(2)
  })

  it('is a first request on another path or from another caller', async () => {
    const key = newKey()
    const first = await user.create({}, key)
    const other = await newPayment(user)
    expect((await user.move(first.body.reference as string, 'PENDING', key)).status).toBe(200)
    expect((await user.move(other, 'PENDING', key)).status).toBe(200)
    const stranger = await as(await newUser(), payments).create({ amount: 1 }, key)
    expect(stranger.status).toBe(201)
    expect(stranger.headers.get('idempotent-replayed')).toBeNull()
    expect(stranger.body.id).not.toBe(first.body.id)
  })
})

describe('an Idempotency-Key', () => {
  it.each(['', ' ', 'x'.repeat(256), 'clé', 'tab\there'])(
    'is rejected with 400 as %j',
    async (key) => {
      const before = await count('payments')
      const { status, body } = await user.create({}, { 'idempotency-key': key })
      expect(status).toBe(400)
      expect(body.errors[0].field).toBe('Idempotency-Key')
      expect(await count('payments')).toBe(before)
    },
  )

  it.each(['x'.repeat(255), `~ ! "quoted" \\ % ' ${v7()}`])('is accepted as %j', async (key) => {
    const first = await user.create({}, { 'idempotency-key': key })
    const second = await user.create({}, { 'idempotency-key': key })
    expect(first.status).toBe(201)
    expect(second.body.id).toBe(first.body.id)
  })

  it('is stored with a 2xx, a 412 or the 400 of a transition only', async () => {
    const stranger = as(await newUser(), payments)
    const reference = await newPayment(user)
    const before = await count('idempotency_keys')
    const key = newKey()
    const rejected = [
      await user.move(`PAY-${v7()}`, 'PENDING', key),
      await user.move('PAY-1', 'PENDING', key),
      await stranger.move(reference, 'PENDING', key),
      await user.move(reference, 'DONE', key),
      await user.create({ amount: 0 }, key),
      await as({ token: 'x.y.z' }, payments).create({}, key),
    ]
    expect(rejected.map(({ status }) => status)).toEqual([404, 404, 404, 400, 400, 401])
    expect(await count('idempotency_keys')).toBe(before)
    expect((await user.create({}, key)).status).toBe(201)
    expect((await user.move(reference, 'PENDING', key)).status).toBe(200)
    expect(await count('idempotency_keys')).toBe(before + 2)
  })

  it('is checked after the payment: 404, not 422', async () => {
    const key = newKey()
    const reference = await newPayment(user)
    await user.move(reference, 'PENDING', key)
    const stranger = as(await newUser(), payments)
    expect((await stranger.move(reference, 'SUCCESS', key)).status).toBe(404)
  })

  it('is checked before If-Match, and If-Match before the transition', async () => {
    const key = newKey()
    const reference = await newPayment(user)
    await user.move(reference, 'PENDING', key)
    expect((await user.move(reference, 'PENDING', { ...key, 'if-match': '"9"' })).status).toBe(422)
    expect((await user.move(reference, 'PENDING', { 'if-match': '"9"' })).status).toBe(412)
  })
})

describe('while the first request with a key is running', () => {
  it('a second one returns 409 with Retry-After, and a later one the first response', async () => {
    const reference = await newPayment(user)
    const key = newKey()
    const release = await lockRow(payments, reference)
    const first = user.move(reference, 'PENDING', key)
    await untilBlocked(payments, 1)
    const second = await user.move(reference, 'PENDING', key)
    expect(second.status).toBe(409)
    expect(second.body.type).toBe('/problems/idempotency-key-in-use')
    expect(second.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    await release()
    expect((await first).status).toBe(200)
    const third = await user.move(reference, 'PENDING', key)
    expect(third.status).toBe(200)
    expect(third.headers.get('idempotent-replayed')).toBe('true')
    expect(essence(third)).toEqual(essence(await first))
  })

  it('requests with another key, payment or path do not wait', async () => {
    const reference = await newPayment(user)
    const other = await newPayment(user)
    const key = newKey()
    const release = await lockRow(payments, reference)
    const first = user.move(reference, 'PENDING', key)
    await untilBlocked(payments, 1)
    expect((await user.move(other, 'PENDING', newKey())).status).toBe(200)
    expect((await user.create({}, key)).status).toBe(201)
    await release()
    expect((await first).status).toBe(200)
  })
})
