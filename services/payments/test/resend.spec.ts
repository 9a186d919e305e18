import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Run, Statement } from '@malipo/kit/postgres/database'
import { until } from '@malipo/testing/until'
import { Client as Connection } from 'pg'
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { releaseDelivery } from '../src/deliveries/claim.store.js'
import { newUser } from './auth.js'
import { type DeliveryLogOf, deliveryLogOf } from './delivery-log.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { untilBlocked } from './locks.js'
import { startPayments } from './payments.js'
import { OK, type Received, type Receiver, startReceiver, status } from './receiver.js'
import { as, type As, newPayment } from './requests.js'

/** Notifications that merchants resend, and tests that they request. All delays are a hundredth. */

const payments = await startPayments({
  WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
  PROVIDER_TIME_SCALE: '0.01',
})
afterAll(() => payments.close())

let user: As
let merchant: ReturnType<typeof endpointsOf>
let log: DeliveryLogOf
let receiver: Receiver
beforeEach(async () => {
  const owner = await newUser()
  user = as(owner, payments)
  merchant = endpointsOf(owner, payments)
  log = deliveryLogOf(owner, payments)
  receiver = await startReceiver()
})
afterEach(() => receiver.close())

const endpoint = (changes: object = {}) =>
  newEndpoint(merchant, { url: receiver.url, events: ['*'], ...changes })

const A_TIME = expect.stringMatching(/^20.*Z$/)
const arrived = (count: number) => until(() => receiver.received.length >= count)
const idOf = ({ headers }: Received) => headers['webhook-id']
const latest = async (endpointId: string) => (await log.list(endpointId)).body.data[0]
const untilState = (endpointId: string, state: string, tries = 1) =>
  until(async () => {
    const delivery = await latest(endpointId)
    return delivery?.state === state && delivery.tries >= tries
  })

/** A delivery that ended in a state, at its first try. */
async function ended(state: 'delivered' | 'failed') {
  const { id } = await endpoint()
  if (state === 'failed') receiver.respond = status(404)
  await newPayment(user, 'PENDING')
  if (state === 'failed') {
    await until(async () => (await latest(id))?.tries > 0)
    await payments.sql(
      `UPDATE delivery_work SET tries = 9, due_at = now(), lease_id = NULL WHERE endpoint_id = $1`,
      id,
    )
  }
  await untilState(id, state)
  receiver.respond = OK
  return { endpointId: id, delivery: await latest(id), sent: receiver.received.length }
}

describe('a resent notification', () => {
  it.each(['delivered', 'failed'] as const)('that was %s is sent again', async (state) => {
    const { endpointId, delivery, sent } = await ended(state)
    const { status: code, body } = await log.resend(delivery.id)
    expect(code).toBe(202)
    expect(body).toMatchObject({ id: delivery.id, event: delivery.event })
    await arrived(sent + 1)
    const [first, again] = [receiver.received[0], receiver.received.at(-1)] as [Received, Received]
    expect([idOf(again), again.body]).toEqual([idOf(first), first.body])
    await untilState(endpointId, 'delivered', delivery.tries + 1)
    const after = await latest(endpointId)
    expect(after).toMatchObject({ tries: delivery.tries + 1, failedAt: null, nextTryAt: null })
    expect(after.deliveredAt).toEqual(delivery.deliveredAt ?? A_TIME)
    expect((await log.get(delivery.id)).body.log).toHaveLength(delivery.tries + 1)
  })

  it.each(['delivered', 'failed'] as const)(
    'that was %s has a new schedule if a try fails',
    async (state) => {
      const { endpointId, delivery, sent } = await ended(state)
      receiver.respond = status(404)
      await log.resend(delivery.id)
      await arrived(sent + 2)
      await until(async () => (await latest(endpointId)).tries >= delivery.tries + 2)
      expect(await latest(endpointId)).toMatchObject({ state: 'pending', lastStatus: 404 })
      const work = 'SELECT tries FROM delivery_work WHERE endpoint_id = $1'
      expect(await payments.sql(work, endpointId)).toEqual([{ tries: expect.any(Number) }])
      receiver.respond = OK
      await payments.sql(
        'UPDATE delivery_work SET due_at = now(), lease_id = NULL WHERE endpoint_id = $1',
        endpointId,
      )
      await untilState(endpointId, 'delivered')
      const { deliveredAt } = await latest(endpointId)
      expect(deliveredAt).toEqual(delivery.deliveredAt ?? A_TIME)
    },
  )

  it('that is pending is due at once', async () => {
    receiver.respond = status(429, { 'retry-after': '86400' })
    const { id } = await endpoint()
    await newPayment(user, 'PENDING')
    await until(async () => (await latest(id))?.tries === 1)
    receiver.respond = OK
    await log.resend((await latest(id)).id)
    await untilState(id, 'delivered', 2)
  })

  it('during its last try is tried again, whatever the result', async () => {
    for (const result of [status(404), OK]) {
      const { endpointId, delivery, sent } = await ended('failed')
      await payments.sql(
        `WITH reopened AS (
           UPDATE deliveries SET state = 'pending', failed_at = NULL WHERE id = $1
         )
         INSERT INTO delivery_work (delivery_id, endpoint_id, due_at, tries)
         VALUES ($1, $2, now(), 9)`,
        delivery.id,
        endpointId,
      )
      let held: ServerResponse | undefined
      receiver.respond = (response) => void (held ??= response)
      await arrived(sent + 1)
      expect((await log.resend(delivery.id)).status).toBe(202)
      receiver.respond = OK
      result(held as ServerResponse, 0)
      await arrived(sent + 2)
      await untilState(endpointId, 'delivered', delivery.tries + 2)
      expect((await latest(endpointId)).tries).toBe(delivery.tries + 2)
      const work = 'SELECT FROM delivery_work WHERE endpoint_id = $1'
      expect(await payments.sql(work, endpointId)).toEqual([])
      receiver.received.length = 0
    }
  })

  it('is no late first delivery', async () => {
    const { endpointId, delivery } = await ended('delivered')
    const measured = await payments.metric('delivery_lag_seconds_count')
    await log.resend(delivery.id)
    await untilState(endpointId, 'delivered', 2)
    expect(await payments.metric('delivery_lag_seconds_count')).toBe(measured)
  })

  it('needs an enabled endpoint, and is 404 after its deletion', async () => {
    const { endpointId, delivery } = await ended('delivered')
    await merchant.change(endpointId, { state: 'disabled' })
    const refused = await log.resend(delivery.id)
    expect([refused.status, refused.body.type]).toEqual([409, '/problems/endpoint-not-enabled'])
    expect((await log.get(delivery.id)).body.state).toBe('delivered')
    await merchant.remove(endpointId)
    expect((await log.resend(delivery.id)).status).toBe(404)
    expect((await log.get(delivery.id)).status).toBe(200)
  })

  it('has at most 100 tries before', async () => {
    const { delivery } = await ended('delivered')
    const set = 'UPDATE deliveries SET tries = $2 WHERE id = $1'
    await payments.sql(set, delivery.id, 100)
    const refused = await log.resend(delivery.id)
    expect([refused.status, refused.body.type]).toEqual([409, '/problems/too-many-tries'])
    await payments.sql(set, delivery.id, 99)
    expect((await log.resend(delivery.id)).status).toBe(202)
  })

  it('twenty times at once is sent at least once, and ends', async () => {
    const { endpointId, delivery } = await ended('delivered')
    const answers = await Promise.all(Array.from({ length: 20 }, () => log.resend(delivery.id)))
    expect(answers.map((each) => each.status)).toEqual(Array(20).fill(202))
    await untilState(endpointId, 'delivered', 2)
    await until(async () => {
      const work = 'SELECT FROM delivery_work WHERE endpoint_id = $1'
      return (await payments.sql(work, endpointId)).length === 0
    })
    const after = (await log.get(delivery.id)).body
    expect([after.state, after.log.length]).toEqual(['delivered', after.tries])
  })

  it('that the retention deletes meanwhile is 404, and leaves no work', async () => {
    const { delivery } = await ended('delivered')
    const connection = new Connection({ connectionString: payments.databaseUrl })
    await connection.connect()
    onTestFinished(() => connection.end())
    await connection.query('BEGIN')
    const of = 'id = (SELECT notification_id FROM deliveries WHERE id = $1)'
    await connection.query(`SELECT FROM notifications WHERE ${of} FOR UPDATE`, [delivery.id])
    const answer = log.resend(delivery.id)
    await untilBlocked(payments, 1)
    await connection.query(`DELETE FROM notifications WHERE ${of}`, [delivery.id])
    await connection.query('DELETE FROM deliveries WHERE id = $1', [delivery.id])
    await connection.query('COMMIT')
    expect((await answer).status).toBe(404)
    const work = 'SELECT FROM delivery_work WHERE delivery_id = $1'
    expect(await payments.sql(work, delivery.id)).toEqual([])
  })

  it('has no tries after the release of a claim', async () => {
    const { endpointId, delivery } = await ended('delivered')
    await merchant.change(endpointId, { state: 'disabled' })
    const lease = randomUUID()
    await payments.sql(
      `INSERT INTO delivery_work (delivery_id, endpoint_id, due_at, lease_id, tries)
       VALUES ($1, $2, now() + interval '1 minute', $3, 0)`,
      delivery.id,
      endpointId,
      lease,
    )
    const run = ({ text }: Statement, values: readonly unknown[]) => payments.sql(text, ...values)
    await releaseDelivery(run as Run, delivery.id, lease)
    const work = 'SELECT tries, lease_id FROM delivery_work WHERE delivery_id = $1'
    expect(await payments.sql(work, delivery.id)).toEqual([{ tries: 0, lease_id: null }])
  })
})

describe('a ping', () => {
  it('is sent to its endpoint only, whatever it has subscribed to', async () => {
    const other = await startReceiver()
    await endpoint({ url: other.url })
    const { id } = await endpoint({ events: ['payment.late_success'] })
    const { status: code, body } = await log.ping(id)
    expect(code).toBe(202)
    await untilState(id, 'delivered')
    const [received] = receiver.received as [Received]
    expect(idOf(received)).toBe(body.event)
    expect(JSON.parse(received.body)).toEqual({
      type: 'ping',
      timestamp: expect.stringMatching(/^20.*Z$/),
      data: { endpoint: id },
    })
    expect((await log.get(body.delivery)).body).toMatchObject({
      event: body.event,
      type: 'ping',
      subject: id,
      state: 'delivered',
      notification: { body: received.body, version: 1 },
    })
    expect((await log.notifications('?type=ping')).body.data).toMatchObject([
      { id: body.event, deliveries: [{ id: body.delivery, endpoint: id }] },
    ])
    expect(other.received).toEqual([])
    await other.close()
  })

  it('needs an enabled endpoint of the merchant', async () => {
    const { id } = await endpoint()
    const other = deliveryLogOf(await newUser(), payments)
    for (const target of [id, randomUUID(), 'x', '%00']) {
      expect((await other.ping(target)).status).toBe(404)
    }
    await merchant.change(id, { state: 'disabled' })
    const refused = await log.ping(id)
    expect([refused.status, refused.body.type]).toEqual([409, '/problems/endpoint-not-enabled'])
    expect((await log.notifications()).body.data).toEqual([])
    await merchant.remove(id)
    expect((await log.ping(id)).status).toBe(404)
  })
})
