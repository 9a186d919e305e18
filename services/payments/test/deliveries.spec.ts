import { randomUUID } from 'node:crypto'
import { until } from '@malipo/testing/until'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { startPayments } from './payments.js'
import { OK, type Received, type Receiver, startReceiver, status } from './receiver.js'
import { as, type As, newPayment } from './requests.js'

/** Notifications that reach the servers of merchants. All delays are a hundredth. */

const payments = await startPayments({
  WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
  PROVIDER_TIME_SCALE: '0.01',
})
afterAll(() => payments.close())

/** Each test has its own, so that the tries of others do not reach it. */
let receiver: Receiver
let user: As
let merchant: ReturnType<typeof endpointsOf>
beforeEach(async () => {
  const owner = await newUser()
  user = as(owner, payments)
  merchant = endpointsOf(owner, payments)
  receiver = await startReceiver()
})
afterEach(() => receiver.close())

const endpoint = (changes: object = {}, at = receiver) =>
  newEndpoint(merchant, { url: at.url, events: ['*'], ...changes })

const bodyOf = ({ body }: Received) => JSON.parse(body)
const idOf = ({ headers }: Received) => headers['webhook-id'] as string

async function deliveriesOf(endpointId: string) {
  return payments.sql<{ state: string; tries: number; last_status: number; last_error: string }>(
    `SELECT state, tries, last_status, last_error FROM deliveries WHERE endpoint_id = $1
     ORDER BY id`,
    endpointId,
  )
}

const arrived = (count: number) => until(async () => receiver.received.length >= count)

describe('a notification', () => {
  it('has the payment as of that version, and a signature', async () => {
    const { id, secret } = await endpoint()
    const reference = await newPayment(user)
    const pending = (await user.move(reference, 'PENDING')).body
    const succeeded = (await user.move(reference, 'SUCCESS')).body
    await arrived(2)
    const [first, second] = receiver.received.toSorted(
      (a, b) => bodyOf(a).data.version - bodyOf(b).data.version,
    ) as [Received, Received]
    expect(bodyOf(first)).toEqual({
      type: 'payment.pending',
      timestamp: pending.updatedAt,
      data: pending,
    })
    expect(bodyOf(second)).toMatchObject({ type: 'payment.succeeded', data: succeeded })
    for (const { headers, body } of receiver.received) {
      const signed = headers as Record<string, string>
      expect(new Webhook(secret).verify(body, signed)).toEqual(JSON.parse(body))
      expect(() => new Webhook(secret).verify(`${body} `, signed)).toThrow(/signature/)
    }
    expect(idOf(first)).toMatch(/^evt_[\da-f]{32}$/)
    expect(idOf(second)).not.toBe(idOf(first))
    await until(async () => (await deliveriesOf(id)).every(({ state }) => state === 'delivered'))
  })

  it('is the same bytes for every endpoint and every try', async () => {
    receiver.respond = (response, nth) => status(nth <= 2 ? 500 : 200)(response, nth)
    const ids = [(await endpoint()).id, (await endpoint()).id]
    await newPayment(user, 'PENDING')
    await arrived(4)
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1)
    expect(new Set(receiver.received.map(idOf)).size).toBe(1)
    for (const id of ids) {
      await until(async () => (await deliveriesOf(id))[0]?.state === 'delivered')
      expect(await deliveriesOf(id)).toMatchObject([{ tries: 2, last_status: 200 }])
    }
  })

  it('is signed by both secrets during a rotation', async () => {
    const { id, secret } = await endpoint()
    const rotated = await merchant.rotate(id)
    await newPayment(user, 'PENDING')
    await arrived(1)
    const [{ body, headers }] = receiver.received as [Received]
    for (const each of [secret, rotated.body.secret]) {
      new Webhook(each).verify(body, headers as Record<string, string>)
    }
  })

  it('is not sent to a deleted endpoint, or to a disabled one until it is enabled', async () => {
    const deleted = await endpoint()
    const disabled = await endpoint()
    await merchant.remove(deleted.id)
    await merchant.change(disabled.id, { state: 'disabled' })
    await newPayment(user, 'PENDING')
    const other = await endpoint()
    await newPayment(user, 'PENDING')
    await arrived(1)
    expect(receiver.received).toHaveLength(1)
    expect(await deliveriesOf(other.id)).toHaveLength(1)
    expect(await deliveriesOf(deleted.id)).toEqual([])
  })
})

describe('a failed try', () => {
  it.each([
    ['500', status(500), { last_status: 500 }],
    ['a redirect', status(302, { location: 'http://169.254.169.254/' }), { last_status: 302 }],
    ['404', status(404), { last_status: 404 }],
    ['a reset', (response: { destroy(): void }) => response.destroy(), { last_error: 'reset' }],
  ])('with %s is repeated until it succeeds', async (_, respond, stored) => {
    receiver.respond = respond
    const { id } = await endpoint()
    await newPayment(user, 'PENDING')
    await arrived(1)
    // On a slow machine, there may be more tries already.
    await until(async () => ((await deliveriesOf(id))[0]?.tries ?? 0) > 0)
    expect(await deliveriesOf(id)).toMatchObject([{ state: 'pending', ...stored }])
    receiver.respond = OK
    await until(async () => (await deliveriesOf(id))[0]?.state === 'delivered')
    const tries = await payments.sql(
      `SELECT nth, status, error, answer FROM delivery_tries
       JOIN deliveries ON id = delivery_id WHERE endpoint_id = $1 ORDER BY nth`,
      id,
    )
    expect(tries.at(-1)).toMatchObject({ status: 204, error: null })
    expect(tries).toHaveLength((await deliveriesOf(id))[0]!.tries)
  })

  it('waits as long as Retry-After says', async () => {
    receiver.respond = status(429, { 'retry-after': '60' })
    const { id } = await endpoint()
    await newPayment(user, 'PENDING')
    await until(async () => (await deliveriesOf(id))[0]?.tries === 1)
    const [work] = await payments.sql<{ tenths: string }>(
      `SELECT round(extract(epoch FROM due_at - at) * 10) AS tenths
       FROM delivery_work JOIN delivery_tries USING (delivery_id) WHERE endpoint_id = $1`,
      id,
    )
    expect(Number(work?.tenths)).toBeGreaterThanOrEqual(6)
    expect(Number(work?.tenths)).toBeLessThan(20)
  })

  it('with 410 is the last one: the endpoint is disabled, and the others are notified', async () => {
    const other = await startReceiver()
    receiver.respond = status(410)
    const { id, url } = await endpoint({ events: ['payment.*'] })
    await endpoint({ events: ['webhook_endpoint.disabled'] }, other)
    await newPayment(user, 'PENDING')
    await until(async () => (await deliveriesOf(id))[0]?.state === 'failed')
    expect((await merchant.get(id)).body).toMatchObject({
      state: 'disabled',
      disabledReason: 'gone',
    })
    await until(async () => other.received.length === 1)
    expect(bodyOf(other.received[0]!)).toEqual({
      type: 'webhook_endpoint.disabled',
      timestamp: expect.stringMatching(/Z$/),
      data: { id, url, state: 'disabled', disabledReason: 'gone', failingSince: expect.anything() },
    })
    await other.close()
  })

  it('is not repeated after the tenth', async () => {
    receiver.respond = status(404)
    const { id } = await endpoint()
    await newPayment(user, 'PENDING')
    await until(async () => {
      const work =
        'UPDATE delivery_work SET due_at = now() WHERE endpoint_id = $1 AND lease_id IS NULL'
      await payments.sql(work, id)
      return (await deliveriesOf(id))[0]?.state === 'failed'
    })
    expect(await deliveriesOf(id)).toMatchObject([{ tries: 10, last_status: 404 }])
    expect(receiver.received).toHaveLength(10)
    const work = 'SELECT FROM delivery_work WHERE endpoint_id = $1'
    expect(await payments.sql(work, id)).toEqual([])
  })
})

describe('an endpoint that is down', () => {
  it('gets a single try at a time after five failures in a row', async () => {
    receiver.respond = status(503)
    const { id } = await endpoint()
    await Promise.all(Array.from({ length: 12 }, () => newPayment(user, 'PENDING')))
    const health = () =>
      payments.sql<{ failures: number; open: boolean }>(
        `SELECT failures, open_until > now() AS open FROM webhook_endpoint_health
         WHERE endpoint_id = $1`,
        id,
      )
    await until(async () => (await health())[0]!.failures >= 5)
    await payments.sql(
      `UPDATE webhook_endpoint_health SET open_until = now() + interval '1 hour' WHERE endpoint_id = $1`,
      id,
    )
    const work = `SELECT count(*)::int FROM delivery_work WHERE endpoint_id = $1 AND lease_id IS NOT NULL`
    await until(async () => (await payments.sql<{ count: number }>(work, id))[0]!.count === 0)
    const count = receiver.received.length
    expect(count).toBeLessThan(12)
    receiver.respond = OK
    await payments.sql(
      `UPDATE webhook_endpoint_health SET open_until = now() WHERE endpoint_id = $1`,
      id,
    )
    await payments.sql('UPDATE delivery_work SET due_at = now() WHERE endpoint_id = $1', id)
    await until(async () => (await deliveriesOf(id)).every(({ state }) => state === 'delivered'))
    expect(await health()).toEqual([{ failures: 0, open: false }])
  })

  it('is warned of after one day and three, and disabled after five days and 20 tries', async () => {
    const other = await startReceiver()
    receiver.respond = status(500)
    const { id } = await endpoint({ events: ['payment.*'] })
    await endpoint({ events: ['webhook_endpoint.failing', 'webhook_endpoint.disabled'] }, other)
    const since = (days: number, tries: number) =>
      payments.sql(
        `UPDATE webhook_endpoint_health
         SET failing_since = now() - make_interval(secs => $2::float8 * 864), failed_tries = $3,
           last_failure_at = now()
         WHERE endpoint_id = $1`,
        id,
        days,
        tries,
      )
    await since(1.1, 20)
    await until(async () => other.received.length === 1)
    await since(3.1, 20)
    await until(async () => other.received.length === 2)
    await since(5.1, 19)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect((await merchant.get(id)).body.state).toBe('enabled')
    await since(5.1, 20)
    await until(async () => other.received.length === 3)
    expect(other.received.map((each) => bodyOf(each).type)).toEqual([
      'webhook_endpoint.failing',
      'webhook_endpoint.failing',
      'webhook_endpoint.disabled',
    ])
    expect((await merchant.get(id)).body).toMatchObject({
      state: 'disabled',
      disabledReason: 'failing',
    })
    await other.close()
  })
})

describe('replicas', () => {
  it('deliver each notification once while both run', async () => {
    const replica = await payments.replica()
    const { id } = await endpoint()
    await Promise.all(Array.from({ length: 40 }, () => newPayment(user, 'PENDING')))
    await until(async () => {
      const all = await deliveriesOf(id)
      return all.length === 40 && all.every(({ state }) => state === 'delivered')
    })
    expect(receiver.received).toHaveLength(40)
    await replica.close()
  })

  it('repeat the try of a replica whose lease has ended', async () => {
    const { id } = await endpoint()
    await merchant.change(id, { state: 'disabled' })
    const notification = randomUUID()
    const [ping] = await payments.sql<{ id: string }>(
      `WITH notification AS (
         INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
         SELECT $2, owner_id, 'ping', id, 1, '{}', now() FROM webhook_endpoints WHERE id = $1
       )
       INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at)
       VALUES (uuidv7(), $2, $1, 'pending', now()) RETURNING id`,
      id,
      notification,
    )
    await payments.sql(
      `INSERT INTO delivery_work (delivery_id, endpoint_id, due_at, lease_id, tries)
       VALUES ($1, $2, now() + interval '1 s', gen_random_uuid(), 1)`,
      ping!.id,
      id,
    )
    await merchant.change(id, { state: 'enabled' })
    await arrived(1)
    await until(async () => (await deliveriesOf(id))[0]?.state === 'delivered')
  })
})
