import { randomUUID } from 'node:crypto'
import { until } from '@malipo/testing/until'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type DeliveryLogOf, deliveryLogOf, storedNotification } from './delivery-log.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { startPayments } from './payments.js'
import { type Receiver, startReceiver } from './receiver.js'
import { as, newPayment } from './requests.js'

/** Notifications of a time range that merchants replay. */

const payments = await startPayments({ WEBHOOK_ALLOW_HOSTS: '127.0.0.1' })
afterAll(() => payments.close())

let owner: User
let merchant: ReturnType<typeof endpointsOf>
let log: DeliveryLogOf
let receiver: Receiver
beforeEach(async () => {
  owner = await newUser()
  merchant = endpointsOf(owner, payments)
  log = deliveryLogOf(owner, payments)
  receiver = await startReceiver()
})
afterEach(() => receiver.close())

const endpoint = (changes: object = {}) =>
  newEndpoint(merchant, { url: receiver.url, events: ['*'], ...changes })

type Fields = Omit<Parameters<typeof storedNotification>[1], 'ownerId'>
const stored = (fields: Fields = {}) =>
  storedNotification(payments, { ownerId: owner.id, ...fields })

const eventId = (id: string) => `evt_${id.replaceAll('-', '')}`
const sentIds = () => receiver.received.map(({ headers }) => headers['webhook-id']).toSorted(byText)
const byText = (a: unknown, b: unknown) => String(a).localeCompare(String(b))
const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
const LAST_HOUR = () => ({ from: ago(60), to: ago(-1) })

const arrived = (count: number) => until(() => receiver.received.length >= count)
const untilDelivered = (id: string, count: number) =>
  until(async () => {
    const { data } = (await log.list(id, '?state=delivered&limit=100')).body
    return data.length === count
  })

async function replayed(id: string, body: unknown): Promise<number> {
  const { status, body: answer } = await log.replay(id, body)
  expect([status, answer]).toEqual([202, { deliveries: expect.any(Number) }])
  return answer.deliveries
}

/** The number of deadlocks in the database of the service. */
async function deadlocks(): Promise<number> {
  const [row] = await payments.sql<{ deadlocks: number }>(
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  )
  return row?.deadlocks ?? -1
}

describe('a replay', () => {
  it('sends what happened before the endpoint existed, and while it was disabled', async () => {
    const early = await stored()
    const { id } = await endpoint()
    await merchant.change(id, { state: 'disabled' })
    const reference = await newPayment(as(owner, payments), 'PENDING')
    await merchant.change(id, { state: 'enabled' })
    expect(await replayed(id, LAST_HOUR())).toBe(2)
    await untilDelivered(id, 2)
    expect(sentIds()).toContain(eventId(early))
    const body = receiver.received.map((each) => JSON.parse(each.body)).find(({ data }) => data)
    expect(body).toMatchObject({ type: 'payment.pending', data: { reference, version: 2 } })
    expect(await replayed(id, LAST_HOUR())).toBe(0)
    expect(receiver.received).toHaveLength(2)
  })

  it('resends what failed or was cancelled, and with `delivered` also the rest', async () => {
    const { id } = await endpoint()
    const made: Record<string, string> = {}
    for (const state of ['failed', 'cancelled', 'delivered', 'pending']) {
      made[state] = eventId(await stored({ endpointId: id, state }))
    }
    expect(await replayed(id, LAST_HOUR())).toBe(2)
    await arrived(2)
    expect(sentIds()).toEqual([made.failed, made.cancelled].toSorted(byText))
    await untilDelivered(id, 3)
    expect(await replayed(id, { ...LAST_HOUR(), delivered: true })).toBe(3)
    await arrived(5)
    expect(sentIds().filter((each) => each === made.delivered)).toHaveLength(1)
    await untilDelivered(id, 3)
    const [pending] = (await log.list(id, '?state=pending')).body.data
    expect(pending).toMatchObject({ event: made.pending, tries: 0 })
  })

  it('sends the types that the endpoint has subscribed to and that are requested', async () => {
    const [failed, late] = [await stored(), await stored({ type: 'payment.late_success' })]
    const other = await stored({ type: 'webhook_endpoint.failing' })
    const { id } = await endpoint({ events: ['payment.*'] })
    await log.ping((await endpoint({ events: ['payment.updated'] })).id)
    await arrived(1)
    receiver.received.length = 0
    expect(await replayed(id, { ...LAST_HOUR(), types: ['webhook_endpoint.failing'] })).toBe(0)
    expect(await replayed(id, { ...LAST_HOUR(), types: ['payment.late_success'] })).toBe(1)
    await arrived(1)
    expect(sentIds()).toEqual([eventId(late)])
    expect(await replayed(id, LAST_HOUR())).toBe(1)
    await merchant.change(id, { events: ['*'] })
    expect(await replayed(id, LAST_HOUR())).toBe(1)
    await arrived(3)
    expect(sentIds()).toEqual([late, failed, other].map(eventId).toSorted(byText))
    const named = await endpoint({ events: ['payment.failed', 'payment.pending'] })
    expect(await replayed(named.id, LAST_HOUR())).toBe(1)
  })

  it('sends no event of the endpoint itself, and no ping', async () => {
    const { id } = await endpoint()
    const about = await stored({ type: 'webhook_endpoint.failing' })
    await payments.sql('DELETE FROM notifications WHERE id = $1', about)
    await payments.sql(
      `INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
       VALUES ($1, $2, 'webhook_endpoint.failing', $3, 1, '{}', now())`,
      about,
      owner.id,
      id,
    )
    await log.ping(id)
    await untilDelivered(id, 1)
    expect(await replayed(id, { ...LAST_HOUR(), delivered: true })).toBe(0)
  })

  it('has a range that includes its begin and not its end', async () => {
    const [from, to] = [ago(20), ago(10)]
    const expected = [await stored({ createdAt: from }), await stored({ createdAt: ago(15) })]
    await stored({ createdAt: to })
    await stored({ createdAt: ago(21) })
    const { id } = await endpoint()
    expect(await replayed(id, { from, to })).toBe(2)
    await arrived(2)
    expect(sentIds()).toEqual(expected.map(eventId).toSorted(byText))
  })

  it('sends no notification of another merchant, or to its endpoint', async () => {
    const stranger = await newUser()
    await storedNotification(payments, { ownerId: stranger.id })
    const { id } = await endpoint()
    expect(await replayed(id, LAST_HOUR())).toBe(0)
    for (const target of [id, randomUUID(), 'x', '%00']) {
      const { status, body } = await deliveryLogOf(stranger, payments).replay(target, LAST_HOUR())
      expect([status, body.type]).toEqual([404, '/problems/endpoint-not-found'])
    }
  })

  it('needs an enabled endpoint', async () => {
    const { id } = await endpoint()
    await stored()
    await merchant.change(id, { state: 'disabled' })
    const refused = await log.replay(id, LAST_HOUR())
    expect([refused.status, refused.body.type]).toEqual([409, '/problems/endpoint-not-enabled'])
    expect((await log.list(id)).body.data).toEqual([])
    await merchant.remove(id)
    expect((await log.replay(id, LAST_HOUR())).status).toBe(404)
  })

  it('skips a delivery with 100 tries', async () => {
    const { id } = await endpoint()
    await stored({ endpointId: id, state: 'failed' })
    await payments.sql('UPDATE deliveries SET tries = 100 WHERE endpoint_id = $1', id)
    expect(await replayed(id, LAST_HOUR())).toBe(0)
  })

  it('of more than 10,000 does nothing', async () => {
    const { id } = await endpoint({ url: 'https://merchant.example/' })
    const fill = `
      INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
      SELECT gen_random_uuid(), $1, 'payment.failed', gen_random_uuid(), 2, '{}', now()
      FROM generate_series(1, $2::integer)`
    await payments.sql(fill, owner.id, 10_001)
    const refused = await log.replay(id, LAST_HOUR())
    expect([refused.status, refused.body.type]).toEqual([422, '/problems/too-many-deliveries'])
    expect((await log.list(id)).body.data).toEqual([])
    await payments.sql(
      `DELETE FROM notifications WHERE id = (SELECT id FROM notifications WHERE owner_id = $1 LIMIT 1)`,
      owner.id,
    )
    expect(await replayed(id, LAST_HOUR())).toBe(10_000)
    await merchant.remove(id)
  })

  it('of a range with more than 100,000 does nothing', async () => {
    const { id } = await endpoint()
    await stored({ endpointId: id, state: 'failed' })
    const fill = `
      WITH made AS (
        INSERT INTO notifications
          (id, owner_id, type, subject_id, subject_version, body, created_at)
        SELECT gen_random_uuid(), $1, 'payment.failed', gen_random_uuid(), 2, '{}', now()
        FROM generate_series(1, 100000)
        RETURNING id
      )
      INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at)
      SELECT uuidv7(), id, $2, 'delivered', now() FROM made`
    await payments.sql(fill, owner.id, id)
    const refused = await log.replay(id, LAST_HOUR())
    expect([refused.status, refused.body.type]).toEqual([422, '/problems/too-many-deliveries'])
    const types = ['payment.failed', 'payment.late_success']
    expect((await log.replay(id, { ...LAST_HOUR(), types })).status).toBe(422)
    await payments.sql(
      `DELETE FROM notifications
       WHERE id = (SELECT notification_id FROM deliveries WHERE endpoint_id = $1 AND state = 'delivered' LIMIT 1)`,
      id,
    )
    expect(await replayed(id, LAST_HOUR())).toBe(1)
  })
})

describe('bad input of a replay', () => {
  it.each([
    [{ from: 'yesterday' }, 'from'],
    [{ from: undefined }, 'from'],
    [{ to: null }, 'to'],
    [{ from: ago(30 * 1_440 + 1) }, 'from'],
    [{ from: ago(1), to: ago(1) }, 'to'],
    [{ from: ago(1), to: ago(2) }, 'to'],
    [{ types: [] }, 'types'],
    [{ types: 'payment.failed' }, 'types'],
    [{ types: ['*'] }, 'types'],
    [{ types: ['ping'] }, 'types'],
    [{ types: null }, 'types'],
    [{ types: Array(9).fill('payment.failed') }, 'types'],
    [{ delivered: 'true' }, 'delivered'],
    [{ delivered: null }, 'delivered'],
    [{ state: 'failed' }, 'state'],
  ])('%j is 400', async (changes, field) => {
    const { id } = await endpoint()
    await stored()
    const body = { ...LAST_HOUR(), ...changes }
    const answer = await log.replay(id, body)
    expect([answer.status, answer.body.errors?.[0]?.field]).toEqual([400, field])
    expect((await log.list(id)).body.data).toEqual([])
  })

  it('from 30 days ago is accepted', async () => {
    const { id } = await endpoint()
    await stored({ createdAt: ago(30 * 1_440 - 2) })
    expect(await replayed(id, { from: ago(30 * 1_440 - 3), to: ago(0) })).toBe(0)
    expect(await replayed(id, { from: ago(30 * 1_440 - 1), to: ago(0) })).toBe(1)
  })
})

describe('replays at once', () => {
  it('make one delivery of each notification, beside two replicas that deliver', async () => {
    const replica = await payments.replica()
    const before = await deadlocks()
    const ids = new Map<string, string>()
    const { id } = await endpoint()
    for (let n = 0; n < 60; n++) {
      const state = n % 3 === 0 ? { endpointId: id, state: n % 2 ? 'failed' : 'delivered' } : {}
      const made = await stored(state)
      ids.set(eventId(made), made)
    }
    const logs = [log, deliveryLogOf(owner, replica)]
    const all = { ...LAST_HOUR(), delivered: true }
    const { data } = (await log.list(id, '?limit=100')).body
    const answers = await Promise.all([
      ...Array.from({ length: 10 }, (_, n) => logs[n % 2]!.replay(id, all)),
      ...data.map((each: { id: string }, n: number) => logs[n % 2]!.resend(each.id)),
    ])
    expect(answers.map(({ status }) => status)).toEqual(Array(answers.length).fill(202))
    await untilDelivered(id, 60)
    expect(new Set(sentIds())).toEqual(new Set(ids.keys()))
    const rows = await payments.sql<{ count: number }>(
      `SELECT count(*)::int FROM deliveries WHERE endpoint_id = $1 GROUP BY notification_id`,
      id,
    )
    expect(rows).toEqual(Array(60).fill({ count: 1 }))
    await until(async () => {
      const work = 'SELECT FROM delivery_work WHERE endpoint_id = $1'
      return (await payments.sql(work, id)).length === 0
    })
    const wrong = await payments.sql(
      `SELECT FROM deliveries
       WHERE endpoint_id = $1 AND (
         state <> 'delivered'
         OR tries <> (SELECT count(*) FROM delivery_tries WHERE delivery_id = deliveries.id)
       )`,
      id,
    )
    expect(wrong).toEqual([])
    expect(await deadlocks()).toBe(before)
    await replica.close()
  })
})
