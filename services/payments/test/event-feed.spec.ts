import { setTimeout as sleep } from 'node:timers/promises'
import { encodeCursor } from '@malipo/kit/http/page'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { until } from '@malipo/testing/until'
import { describe, expect, it, onTestFinished } from 'vitest'
import { EVENT_TYPES, eventIdOf } from '../src/notifications/events.js'
import { cursorOf } from '../src/event-feed/position.js'
import { idOf } from '../src/payments/payment.view.js'
import { grant, newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { type FeedEvent, feedOf, named, withFeed } from './feed-stage.js'
import { startReceiver } from './receiver.js'
import { as, fromProvider, newPayment, webhookBody } from './requests.js'

const stage = await withFeed()
const { payments, owner } = stage
const user = as(owner, payments)

async function newMerchant() {
  const account = await newUser()
  return { account, user: as(account, payments), feed: feedOf(account, stage) }
}

const DAY_MS = 86_400_000

describe('GET /api/events', () => {
  it('returns each version of a payment as GET did, with the id of its notification', async () => {
    const merchant = await newMerchant()
    const { body: created } = await merchant.user.create({ metadata: { order: '17' } })
    const reference = created.reference as string
    const versions = [created]
    for (const status of ['PENDING', 'SUCCESS']) {
      await merchant.user.move(reference, status, {}, { providerTransactionId: `MP-${status}` })
      versions.push((await merchant.user.get(reference)).body)
    }
    const ids = await payments.sql<{ id: string }>(
      'SELECT operation_id AS id FROM payment_events WHERE payment_id = $1 ORDER BY version',
      idOf(reference),
    )
    const { data, hasMore } = await merchant.feed.page()
    expect(data).toEqual(
      ['payment.created', 'payment.pending', 'payment.succeeded'].map((type, index) => ({
        id: eventIdOf(ids[index]?.id ?? ''),
        type,
        timestamp: versions[index].updatedAt,
        data: versions[index],
      })),
    )
    expect(hasMore).toBe(false)
  })

  it('returns an event as its notification has it, to the byte', async () => {
    const merchant = await newMerchant()
    const receiver = await startReceiver()
    onTestFinished(() => receiver.close())
    await newEndpoint(endpointsOf(merchant.account, payments), { url: receiver.url })
    await newPayment(merchant.user, 'PENDING', 'FAILED')
    await until(() => receiver.received.length === 2)
    const { data } = await merchant.feed.page()
    const bodies = data.slice(1).map(({ id, ...body }) => `${id} ${JSON.stringify(body)}`)
    const received = receiver.received.map(
      ({ headers, body }) => `${headers['webhook-id'] as string} ${body}`,
    )
    expect(new Set(bodies)).toEqual(new Set(received))
  })

  it('returns events of webhooks as well', async () => {
    const merchant = await newMerchant()
    const reference = await newPayment(merchant.user, 'PENDING')
    await fromProvider(payments, webhookBody(reference, 'FAILED'))
    const { data } = await merchant.feed.page('?type=payment.failed')
    expect(data.map((event) => event.data)).toEqual([(await merchant.user.get(reference)).body])
  })

  it('returns only events of the caller’s merchant', async () => {
    await newPayment(user)
    const { feed } = await newMerchant()
    expect(await feed.page()).toMatchObject({ data: [], hasMore: false })
  })

  it('returns to an operator only events of payments that they created', async () => {
    await newPayment(user)
    const operator = await grant(await newUser(), 'payments:admin', 'sandbox')
    expect((await feedOf(operator, stage).page()).data).toEqual([])
  })

  it('is not cached', async () => {
    expect((await feedOf(owner, stage).get()).headers.get('cache-control')).toBe('no-store')
  })

  it('rejects a caller without a token with 401', async () => {
    expect((await payments.client.get('/api/events')).status).toBe(401)
  })

  it.each([
    'type=payment.deleted',
    'type=ping',
    'type=payment.failed&type=payment.pending',
    'type=',
    'createdFrom=yesterday',
    'createdFrom=2026-02-30T00:00:00Z',
    'limit=0',
    'limit=101',
    'cursor=',
    'cursor=x',
    'cursor=!!!!!!!!!!!!!!!!!!!!!!',
    'cursor=AZqgoAAAcACAAAAAAAAAA',
    `cursor=${encodeCursor(newUuid())}`,
    `cursor=${encodeCursor('00000000-0000-0000-0000-000000000000')}`,
    'createdTo=2026-01-31T12:00:00Z',
  ])('rejects ?%s with 400', async (query) => {
    const { status, body } = await feedOf(owner, stage).get(`?${query}`)
    expect(status).toBe(400)
    expect(body.errors).toHaveLength(1)
    expect(query).toContain(body.errors[0].field)
  })
})

describe('the cursor of the feed', () => {
  it('continues after each page, and after an empty one', async () => {
    const { feed, user: merchant } = await newMerchant()
    const empty = await feed.page()
    expect(empty.data).toEqual([])
    const reference = await newPayment(merchant, 'PENDING', 'SUCCESS')
    const first = await feed.page(`?limit=2&cursor=${empty.nextCursor}`)
    expect(first.data.map(({ data }) => data.version)).toEqual([1, 2])
    expect(first.hasMore).toBe(true)
    const second = await feed.page(`?limit=2&cursor=${first.nextCursor}`)
    expect(second.data.map(({ data }) => data.version)).toEqual([3])
    expect(second.hasMore).toBe(false)
    const third = await feed.page(`?cursor=${second.nextCursor}`)
    expect(third).toEqual({ data: [], nextCursor: second.nextCursor, hasMore: false })
    const next = await newPayment(merchant)
    const { data } = await feed.page(`?cursor=${third.nextCursor}`)
    expect(data.map((event) => event.data.reference)).toEqual([next])
    expect(next).not.toBe(reference)
  })

  it('states no further page if the last one is full', async () => {
    const { feed, user: merchant } = await newMerchant()
    await newPayment(merchant, 'PENDING')
    const { cursor } = await feed.rest('limit=1')
    await newPayment(merchant, 'PENDING')
    expect(await feed.page(`?limit=2&cursor=${cursor}`)).toMatchObject({ hasMore: false })
    expect((await feed.page('?limit=4')).hasMore).toBe(false)
  })

  it('of another merchant is rejected', async () => {
    await newPayment(user)
    const { nextCursor } = await feedOf(owner, stage).page('?limit=1')
    const { feed } = await newMerchant()
    const { status, body } = await feed.get(`?cursor=${nextCursor}`)
    expect(status).toBe(400)
    expect(body.errors[0].message).toContain('start again with createdFrom')
  })

  it('continues after more than 30 days', async () => {
    const { feed, account } = await newMerchant()
    await insertEvents(account.id, 3, 40 * DAY_MS)
    expect((await feed.page()).data).toEqual([])
    const cursor = cursorOf({ from: new Date(Date.now() - 50 * DAY_MS) })
    const { events } = await feed.rest('limit=2', cursor)
    expect(events).toHaveLength(3)
  })
})

/** Inserts payments with one event each, whose times are `agoMs` before now, 1 ms apart. */
async function insertEvents(ownerId: string, count: number, agoMs: number): Promise<void> {
  await payments.sql(
    `WITH made AS (
       SELECT uuidv7() AS id, now() - make_interval(secs => $3::float / 1000 - nth * 0.001) AS at
       FROM generate_series(1, $2::integer) AS nth
     ), payment AS (
       INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone,
         customer_email, metadata, status, created_at, updated_at, version)
       SELECT id, $1, 500, 'UGX', 'MOBILE_MONEY', '+256772123456', 'a@example.com', '{}',
         'INITIATED', at, at, 1
       FROM made
       RETURNING id, created_at
     )
     INSERT INTO payment_events (payment_id, version, operation_id, to_status, at, actor, cause)
     SELECT id, 1, gen_random_uuid(), 'INITIATED', created_at, 'x', 'create' FROM payment`,
    ownerId,
    count,
    agoMs,
  )
}

describe('the filters of the feed', () => {
  it('select events by type', async () => {
    const { feed, user: merchant } = await newMerchant()
    const reference = await newPayment(merchant, 'PENDING', 'FAILED')
    const of = async (type: string) => named((await feed.page(`?type=${type}`)).data)
    expect(await of('payment.created')).toEqual([`${reference} 1 payment.created`])
    expect(await of('payment.failed')).toEqual([`${reference} 3 payment.failed`])
    expect(await of('payment.late_success')).toEqual([])
    expect(await of('payment.*')).toHaveLength(3)
  })

  it('pass events that do not match, in steps of bounded length', async () => {
    const { feed, account, user: merchant } = await newMerchant()
    await insertEvents(account.id, 2_500, 1_000)
    await newPayment(merchant, 'PENDING')
    const start = await feed.page('?type=payment.pending')
    expect(start).toMatchObject({ data: [], hasMore: true })
    const pages = [start]
    while (pages.at(-1)?.hasMore) {
      pages.push(await feed.page(`?type=payment.pending&cursor=${pages.at(-1)?.nextCursor}`))
    }
    expect(pages.map(({ data }) => data.length)).toEqual([0, 0, 1])
  })

  it('start at createdFrom, to the millisecond', async () => {
    const { feed, user: merchant } = await newMerchant()
    const times: string[] = []
    for (let n = 0; n < 5; n++) {
      await sleep(3)
      times.push((await merchant.create()).body.createdAt as string)
    }
    for (const [index, time] of times.entries()) {
      const { events } = await feed.rest(`limit=2&createdFrom=${time}`)
      expect(events.map(({ timestamp }) => timestamp)).toEqual(times.slice(index))
    }
    const future = new Date(Date.now() + 60_000).toISOString()
    const { data, nextCursor } = await feed.page(`?createdFrom=${future}`)
    expect(data).toEqual([])
    expect((await feed.page(`?cursor=${nextCursor}`)).data).toEqual([])
  })

  it.each([0, 1, 7, 29])('find the first event of the last %s days', async (days) => {
    const { feed, account } = await newMerchant()
    for (const ago of [40, 31, 29.5, 10, 5, 0.5]) await insertEvents(account.id, 30, ago * DAY_MS)
    const from = new Date(Date.now() - days * DAY_MS).toISOString()
    const { events } = await feed.rest(`limit=100&createdFrom=${from}`)
    const expected = [29.5, 10, 5, 0.5].filter((ago) => ago <= days).length * 30
    expect(events).toHaveLength(expected)
  })
})

describe('the types of the feed', () => {
  it('are those of the service, for late successes and other changes as well', async () => {
    const { feed, user: merchant } = await newMerchant()
    const reference = await newPayment(merchant, 'PENDING', 'FAILED')
    const add = (version: number, late: string | null) =>
      payments.sql(
        `INSERT INTO payment_events (payment_id, version, operation_id, from_status, to_status, at,
           actor, cause, failure, late_success, needs_attention, owner_id)
         SELECT payment_id, $2, gen_random_uuid(), 'FAILED', 'FAILED', '2026-11-30T08:00:00.123Z', actor,
           cause, failure, $3::jsonb, $3::jsonb IS NULL, owner_id
         FROM payment_events WHERE payment_id = $1 AND version = 3`,
        idOf(reference),
        version,
        late,
      )
    const late = {
      amountMinor: '5000',
      providerTransactionId: 'MP1',
      at: '2026-11-30T08:00:00.123+00:00',
    }
    await add(4, JSON.stringify(late))
    await add(5, null)
    const { events } = await feed.rest('limit=100', cursorOf({ from: new Date(0) }))
    const types = events.map(({ type }: FeedEvent) => type)
    expect(types.slice(3)).toEqual(['payment.late_success', 'payment.updated'])
    expect(types.every((type) => type in EVENT_TYPES)).toBe(true)
    expect(events[3]?.data).toMatchObject({
      version: 4,
      lateSuccess: { amount: '5000', at: '2026-11-30T08:00:00.123Z' },
    })
    expect(events[4]?.data).toMatchObject({ version: 5, lateSuccess: null, needsAttention: true })
  })
})
