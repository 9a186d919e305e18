import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@malipo/testing/until'
import fc from 'fast-check'
import type { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { feedOf, named, withFeed } from './feed-stage.js'
import { as, newPayment } from './requests.js'

/** What a reader sees while transactions are open: the feed may wait, but it never skips or repeats an event. */

const stage = await withFeed()
const { payments, database } = stage

/** Inserts a payment with `events` events in the transaction of a connection. */
async function insertPayment(
  client: Client,
  owner: string,
  events = 1,
  at = new Date().toISOString(),
): Promise<string> {
  const { rows } = await client.query<{ reference: string }>(
    `WITH payment AS (
       INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone,
         customer_email, metadata, status, created_at, updated_at, version)
       VALUES (uuidv7(), $1, 500, 'UGX', 'MOBILE_MONEY', '+256772123456', 'a@example.com', '{}',
         'INITIATED', $3, $3, $2)
       RETURNING *
     ), event AS (
       INSERT INTO payment_events (payment_id, version, operation_id, owner_id, from_status, to_status,
         at, actor, cause)
       SELECT id, nth, gen_random_uuid(), owner_id, CASE WHEN nth > 1 THEN 'INITIATED' END, 'INITIATED',
         created_at, 'x', 'create'
       FROM payment, generate_series(1, $2) AS nth
     )
     SELECT reference FROM payment`,
    [owner, events, at],
  )
  return rows[0]?.reference ?? ''
}

describe('while a transaction that has inserted an event is open', () => {
  it('the feed waits for it, then returns every event once', async () => {
    const merchant = await newUser()
    const [user, feed] = [as(merchant, payments), feedOf(merchant, stage)]
    const before = await newPayment(user)
    const open = await database.connection()
    await open.query('BEGIN')
    const held = await insertPayment(open, merchant.id)
    const later = [await newPayment(user, 'PENDING'), await newPayment(user)]
    const first = await feed.rest('limit=1')
    expect(named(first.events)).toEqual([`${before} 1 payment.created`])
    // The payments are visible by themselves: only their events wait.
    expect((await user.list()).body.data).toHaveLength(3)
    const meanwhile = await feed.rest('limit=1', first.cursor)
    expect(meanwhile).toEqual({ events: [], cursor: first.cursor })
    await open.query('COMMIT')
    const rest = await feed.rest('limit=1', meanwhile.cursor)
    expect(named(rest.events)).toEqual([
      `${held} 1 payment.created`,
      `${later[0]} 1 payment.created`,
      `${later[0]} 2 payment.pending`,
      `${later[1]} 1 payment.created`,
    ])
  })

  it('the feed continues after it is rolled back', async () => {
    const merchant = await newUser()
    const [user, feed] = [as(merchant, payments), feedOf(merchant, stage)]
    const open = await database.connection()
    await open.query('BEGIN')
    await insertPayment(open, merchant.id)
    const reference = await newPayment(user)
    expect((await feed.page()).data).toEqual([])
    await open.query('ROLLBACK')
    expect(named((await feed.page()).data)).toEqual([`${reference} 1 payment.created`])
  })

  it('a transaction of other tables delays the feed as well, one that only reads does not', async () => {
    const merchant = await newUser()
    const [user, feed] = [as(merchant, payments), feedOf(merchant, stage)]
    const open = await database.connection()
    await open.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await open.query('SELECT FROM payments LIMIT 1')
    await newPayment(user)
    expect((await feed.page()).data).toHaveLength(1)
    await open.query('SELECT pg_current_xact_id()')
    await newPayment(user)
    expect((await feed.page()).data).toHaveLength(1)
    await open.query('COMMIT')
    expect((await feed.page()).data).toHaveLength(2)
  })
})

/** A transaction of a writer: how many events, how long it stays open afterwards, and whether it commits. */
const transaction = fc.record({
  events: fc.integer({ min: 1, max: 4 }),
  openMs: fc.constantFrom(0, 0, 0, 1, 3, 10),
  commits: fc.boolean(),
})
const writers = fc.array(fc.array(transaction, { minLength: 1, maxLength: 12 }), {
  minLength: 2,
  maxLength: 6,
})
type Transaction = typeof transaction extends fc.Arbitrary<infer T> ? T : never

async function write(owner: string, transactions: readonly Transaction[]): Promise<void> {
  const client = await database.connection()
  for (const { events, openMs, commits } of transactions) {
    await client.query('BEGIN')
    await insertPayment(client, owner, events)
    await sleep(openMs)
    await client.query(commits ? 'COMMIT' : 'ROLLBACK')
  }
  await client.end()
}

/** All events of an owner that are committed, in no order. */
async function committed(owner: string): Promise<string[]> {
  const rows = await payments.sql<{ id: string }>(
    `SELECT 'evt_' || replace(operation_id::text, '-', '') AS id FROM payment_events WHERE owner_id = $1`,
    owner,
  )
  return rows.map(({ id }) => id)
}

describe('a reader that follows the cursor while others write', () => {
  it('sees every committed event once, and what a second reader sees', async () => {
    const account = await newUser()
    const feed = feedOf(account, stage)
    const run = async (plan: readonly (readonly Transaction[])[], limit: number) => {
      let { nextCursor: cursor } = await feed.page(`?createdFrom=${new Date().toISOString()}`)
      const start = cursor
      const before = new Set(await committed(account.id))
      const seen: string[] = []
      const end = new AbortController()
      const written = Promise.all(plan.map((one) => write(account.id, one))).finally(() =>
        end.abort(),
      )
      const follow = async () => {
        const { events, cursor: next } = await feed.rest(`limit=${limit}`, cursor)
        seen.push(...events.map(({ id }) => id))
        cursor = next
      }
      while (!end.signal.aborted) await follow()
      await written
      // A worker of the service may be writing.
      const expected = (await committed(account.id)).filter((id) => !before.has(id))
      await until(async () => {
        await follow()
        return seen.length >= expected.length
      })
      expect(seen.toSorted()).toEqual(expected.toSorted())
      const again = await feed.rest('limit=100', start)
      expect(again.events.map(({ id }) => id)).toEqual(seen)
    }
    await fc.assert(fc.asyncProperty(writers, fc.integer({ min: 1, max: 20 }), run), {
      numRuns: 15,
      interruptAfterTimeLimit: 60_000,
    })
  }, 120_000)

  it('gets an error instead of a gap if the event of its cursor is lost', async () => {
    const account = await newUser()
    const feed = feedOf(account, stage)
    const client = await database.connection()
    await insertPayment(client, account.id)
    const { nextCursor } = await feed.page()
    // As after a restore to an earlier time.
    await client.query(
      `SET session_replication_role = replica;
       DELETE FROM payment_events WHERE owner_id = '${account.id}';
       RESET session_replication_role`,
    )
    await insertPayment(client, account.id)
    const { status, body } = await feed.get(`?cursor=${nextCursor}`)
    expect(status).toBe(400)
    expect(body.errors[0].message).toContain('the database was restored')
    expect((await feed.page()).data).toHaveLength(1)
  })

  it('waits for events of tables that were imported from another server', async () => {
    const account = await newUser()
    const client = await database.connection()
    await client.query('BEGIN')
    await insertPayment(client, account.id)
    await client.query('COMMIT')
    await client.query(
      `SET session_replication_role = replica;
       UPDATE payment_events SET xid = '4000000000' WHERE owner_id = '${account.id}';
       RESET session_replication_role`,
    )
    expect((await feedOf(account, stage).page()).data).toEqual([])
    await client.query(
      `SET session_replication_role = replica;
       DELETE FROM payment_events WHERE owner_id = '${account.id}';
       RESET session_replication_role`,
    )
  })
})

/** Transactions in the order of their ids: after how long each event follows, and how much its time differs. */
const times = fc.array(
  fc.record({
    gapMs: fc.oneof(fc.integer({ max: 1_000, min: 0 }), fc.integer({ max: 86_400_000, min: 0 })),
    jitterMs: fc.integer({ min: -59_000, max: 59_000 }),
    events: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 1, maxLength: 25 },
)

describe('a reader that starts at a time', () => {
  it('sees every event from then on, although requests have waited before their transaction', async () => {
    const account = await newUser()
    const feed = feedOf(account, stage)
    const client = await database.connection()
    const run = async (
      plan: typeof times extends fc.Arbitrary<infer T> ? T : never,
      nth: number,
    ) => {
      // No event of an earlier run is in the feed.
      await client.query(
        `UPDATE payment_events SET owner_id = uuidv7() WHERE owner_id = '${account.id}'`,
      )
      let at = Date.now() - 25 * 86_400_000
      const all: string[] = []
      for (const { gapMs, jitterMs, events } of plan) {
        at += gapMs
        const time = new Date(at + jitterMs).toISOString()
        all.push(...Array<string>(events).fill(time))
        await insertPayment(client, account.id, events, time)
      }
      const from = all[nth % all.length] ?? ''
      const { events } = await feed.rest(`limit=7&createdFrom=${from}`)
      expect(events.map(({ timestamp }) => timestamp)).toEqual(all.filter((one) => one >= from))
    }
    await client.query('SET session_replication_role = replica')
    await fc.assert(fc.asyncProperty(times, fc.nat(), run), {
      numRuns: 60,
      interruptAfterTimeLimit: 30_000,
    })
    await client.query('RESET session_replication_role')
  }, 60_000)
})
