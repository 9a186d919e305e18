import { randomUUID } from 'node:crypto'
import { until } from '@malipo/testing/until'
import { afterAll, afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { newServer } from './api-keys.js'
import { newUser, type User } from './auth.js'
import { type DeliveryLogOf, deliveryLogOf, storedNotification } from './delivery-log.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { startPayments } from './payments.js'
import { type Receiver, startReceiver, status } from './receiver.js'
import { as, type As, newPayment } from './requests.js'

/** What merchants see of their notifications and deliveries. */

const payments = await startPayments({
  WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
  PROVIDER_TIME_SCALE: '0.01',
})
afterAll(() => payments.close())

let owner: User
let user: As
let merchant: ReturnType<typeof endpointsOf>
let log: DeliveryLogOf
let receiver: Receiver
beforeEach(async () => {
  owner = await newUser()
  user = as(owner, payments)
  merchant = endpointsOf(owner, payments)
  log = deliveryLogOf(owner, payments)
  receiver = await startReceiver()
})
afterEach(() => receiver.close())

const endpoint = (changes: object = {}) =>
  newEndpoint(merchant, { url: receiver.url, events: ['*'], ...changes })

const stored = (fields: Omit<Parameters<typeof storedNotification>[1], 'ownerId'> = {}) =>
  storedNotification(payments, { ownerId: owner.id, ...fields })

const TIME = expect.stringMatching(/^20.*Z$/)
const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id)
const eventId = (id: string) => `evt_${id.replaceAll('-', '')}`

describe('a delivery', () => {
  it('has its notification with the body, and every try', async () => {
    receiver.respond = (response, nth) => status(nth === 1 ? 500 : 200)(response, nth)
    const { id } = await endpoint()
    const reference = await newPayment(user, 'PENDING')
    await until(async () => (await log.list(id)).body.data[0]?.state === 'delivered')
    const listed = (await log.list(id)).body.data[0]
    expect(listed).toEqual({
      id: expect.any(String),
      endpoint: id,
      event: receiver.received[0]?.headers['webhook-id'],
      type: 'payment.pending',
      subject: reference,
      state: 'delivered',
      tries: 2,
      lastStatus: 200,
      lastError: null,
      nextTryAt: null,
      createdAt: TIME,
      deliveredAt: TIME,
      failedAt: null,
    })
    const { status: code, body } = await log.get(listed.id)
    expect(code).toBe(200)
    expect(body).toEqual({
      ...listed,
      notification: {
        id: listed.event,
        type: 'payment.pending',
        subject: reference,
        version: 2,
        createdAt: TIME,
        body: receiver.received[0]?.body,
      },
      log: [
        { at: TIME, tookMs: expect.any(Number), status: 500, error: null, answer: 'status 500' },
        { at: TIME, tookMs: expect.any(Number), status: 200, error: null, answer: 'status 200' },
      ],
    })
  })

  it('without a response has the error, and the time of the next try', async () => {
    receiver.respond = (response) => response.destroy()
    const { id } = await endpoint()
    await newPayment(user, 'PENDING')
    await until(async () => (await log.list(id)).body.data[0]?.tries > 0)
    await payments.sql(
      `UPDATE delivery_work SET due_at = '2031-01-01T00:00:00Z', lease_id = NULL WHERE endpoint_id = $1`,
      id,
    )
    const [listed] = (await log.list(id, '?state=pending')).body.data
    expect(listed).toMatchObject({
      state: 'pending',
      lastStatus: null,
      lastError: 'reset',
      nextTryAt: '2031-01-01T00:00:00.000Z',
    })
    const { body } = await log.get(listed.id)
    expect(body.log[0]).toMatchObject({ status: null, error: 'reset', answer: null })
  })

  it('that ended after 410 has failed', async () => {
    receiver.respond = status(410)
    const { id } = await endpoint()
    await newPayment(user, 'PENDING')
    await until(async () => (await log.list(id, '?state=failed')).body.data.length === 1)
    expect((await log.list(id, '?state=failed')).body.data[0]).toMatchObject({ failedAt: TIME })
  })

  it('of another merchant, or unknown, is 404', async () => {
    const { id } = await endpoint()
    await stored({ endpointId: id })
    const [{ id: delivery }] = (await log.list(id)).body.data
    const other = deliveryLogOf(await newUser(), payments)
    for (const target of [delivery, randomUUID(), 'x', '%00']) {
      expect(await other.get(target)).toMatchObject({
        status: 404,
        body: { type: '/problems/delivery-not-found' },
      })
      expect((await other.resend(target)).status).toBe(404)
    }
  })
})

describe('the deliveries to an endpoint', () => {
  it('are in pages, newest first, and by state', async () => {
    const { id } = await endpoint()
    const states = ['delivered', 'failed', 'pending', 'cancelled', 'delivered', 'failed']
    for (const state of states) await stored({ endpointId: id, state })
    const all = (await log.list(id)).body
    expect(all.nextCursor).toBeNull()
    expect(all.data.map((each: { state: string }) => each.state)).toEqual(states.toReversed())
    const first = (await log.list(id, '?limit=4')).body
    const second = (await log.list(id, `?limit=4&cursor=${first.nextCursor}`)).body
    expect(ids([...first.data, ...second.data])).toEqual(ids(all.data))
    for (const state of ['pending', 'delivered', 'failed', 'cancelled']) {
      const { data } = (await log.list(id, `?state=${state}`)).body
      const expected = all.data.filter((each: { state: string }) => each.state === state)
      expect(ids(data)).toEqual(ids(expected))
    }
  })

  it('are only its own, and 404 for another merchant or after its deletion', async () => {
    const { id } = await endpoint()
    const beside = await endpoint()
    await stored({ endpointId: beside.id })
    expect((await log.list(id)).body.data).toEqual([])
    const other = deliveryLogOf(await newUser(), payments)
    const answers = await Promise.all(
      [id, randomUUID(), 'x', '%00'].map((each) => other.list(each)),
    )
    expect(answers.map((each) => each.status)).toEqual([404, 404, 404, 404])
    await merchant.remove(beside.id)
    expect((await log.list(beside.id)).status).toBe(404)
  })
})

describe('notifications', () => {
  it('are in pages, newest first, whatever their ids', async () => {
    const at = (day: number) => `2026-11-${day}T00:00:00Z`
    const made: string[] = []
    for (const day of [10, 11, 12, 12, 12, 13]) made.push(await stored({ createdAt: at(day) }))
    const pages: { id: string }[][] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await log.notifications(`?limit=2${cursor && `&cursor=${cursor}`}`)
      pages.push(body.data)
      cursor = body.nextCursor
    }
    expect(pages.map((page) => page.length)).toEqual([2, 2, 2])
    const [a, b, , , , f] = made.map(eventId)
    const seen = ids(pages.flat())
    expect([seen[0], seen[4], seen[5]]).toEqual([f, b, a])
    expect(new Set(seen)).toEqual(new Set(made.map(eventId)))
  })

  it('are by type, payment and time', async () => {
    const { id } = await endpoint()
    const reference = await newPayment(user, 'PENDING', 'SUCCESS')
    await newPayment(user, 'PENDING')
    const found = async (query: string) =>
      (await log.notifications(query)).body.data.map((each: { type: string }) => each.type)
    expect(await found('')).toEqual(['payment.pending', 'payment.succeeded', 'payment.pending'])
    expect(await found('?type=payment.succeeded')).toEqual(['payment.succeeded'])
    expect(await found('?type=payment.late_success')).toEqual([])
    expect(await found(`?payment=${reference}`)).toEqual(['payment.succeeded', 'payment.pending'])
    const { body } = await log.notifications(`?payment=${reference}&type=payment.succeeded`)
    expect(body.data).toEqual([
      {
        id: expect.stringMatching(/^evt_[\da-f]{32}$/),
        type: 'payment.succeeded',
        subject: reference,
        version: 3,
        createdAt: TIME,
        deliveries: [expect.objectContaining({ endpoint: id, id: expect.any(String) })],
      },
    ])
    const [{ createdAt }] = body.data
    expect(await found(`?createdTo=${createdAt}`)).not.toContain('payment.succeeded')
    expect(await found(`?createdFrom=${createdAt}`)).toContain('payment.succeeded')
    const late = new Date(Date.parse(createdAt) + 3_600_000).toISOString()
    expect(await found(`?createdFrom=${late}`)).toEqual([])
  })

  it('have the deliveries to the endpoints that are not deleted', async () => {
    const [first, second] = [await endpoint(), await endpoint()]
    await newPayment(user, 'PENDING')
    const endpoints = async () => {
      const [{ deliveries }] = (await log.notifications()).body.data
      return new Set(deliveries.map((each: { endpoint: string }) => each.endpoint))
    }
    expect(await endpoints()).toEqual(new Set([first.id, second.id]))
    await merchant.remove(first.id)
    expect(await endpoints()).toEqual(new Set([second.id]))
  })

  it('of other merchants are not listed, also by payment or cursor', async () => {
    await endpoint()
    const reference = await newPayment(user, 'PENDING', 'SUCCESS')
    const { nextCursor } = (await log.notifications('?limit=1')).body
    const other = deliveryLogOf(await newUser(), payments)
    for (const query of ['', `?payment=${reference}`, `?cursor=${nextCursor}`]) {
      expect((await other.notifications(query)).body).toEqual({ data: [], nextCursor: null })
    }
  })
})

describe('access', () => {
  it.each([
    [['payments:read'], { reads: 200, writes: 403 }],
    [['webhooks:write'], { reads: 200, writes: 202 }],
    [['payments:write'], { reads: 403, writes: 403 }],
    [['payments:settle'], { reads: 403, writes: 403 }],
  ])('with the scopes %j', async (scopes, { reads, writes }) => {
    const { id } = await endpoint()
    await stored({ endpointId: id })
    const [{ id: delivery }] = (await log.list(id)).body.data
    const key = await newServer(inject('authUrl'), owner, { scopes })
    const server = deliveryLogOf(key, payments)
    const read = [server.list(id), server.notifications(), server.get(delivery)]
    expect((await Promise.all(read)).map((each) => each.status)).toEqual([reads, reads, reads])
    const range = { from: new Date(Date.now() - 60_000).toISOString(), to: '2031-01-01T00:00:00Z' }
    const written = [server.resend(delivery), server.ping(id), server.replay(id, range)]
    const codes = (await Promise.all(written)).map((each) => each.status)
    expect(codes).toEqual([writes, writes, writes])
  })

  it('needs a token', async () => {
    const stranger = deliveryLogOf({ token: 'x' }, payments)
    const id = randomUUID()
    const answers = await Promise.all([
      stranger.list(id),
      stranger.notifications(),
      stranger.get(id),
      stranger.resend(id),
      stranger.ping(id),
      stranger.replay(id, {}),
    ])
    expect(answers.map((each) => each.status)).toEqual(Array(6).fill(401))
  })
})

describe('bad input', () => {
  it.each([
    ['?type=x', 'type'],
    ['?type=payment.created', 'type'],
    ['?payment=x', 'payment'],
    ['?payment=PAY-00000000-0000-4000-8000-000000000000', 'payment'],
    ['?createdFrom=yesterday', 'createdFrom'],
    ['?createdTo=2026-13-01T00:00:00Z', 'createdTo'],
    ['?cursor=x', 'cursor'],
    ['?limit=0', 'limit'],
    ['?limit=101', 'limit'],
    ['?subject=x', 'subject'],
    ['?type=ping&type=ping', 'type'],
  ])('in a list of notifications with %s is 400', async (query, field) => {
    const { status: code, body } = await log.notifications(query)
    expect([code, body.errors[0].field]).toEqual([400, field])
  })

  it.each([
    ['?state=x', 'state'],
    ['?state=', 'state'],
    ['?cursor=x', 'cursor'],
    ['?limit=101', 'limit'],
    ['?endpoint=x', 'endpoint'],
  ])('in a list of deliveries with %s is 400', async (query, field) => {
    const { id } = await endpoint()
    const { status: code, body } = await log.list(id, query)
    expect([code, body.errors[0].field]).toEqual([400, field])
  })
})
