import { v7 } from 'uuid'
import { beforeEach, afterEach, describe, expect, it } from 'vitest'
import { recordCall } from '../src/attempts/circuits.store.js'
import { type CallKind, claim } from '../src/attempts/claim.store.js'
import { conclude } from '../src/attempts/conclude.store.js'
import { STORE_CALLBACK } from '../src/callbacks/callback.statement.js'
import { inputOf } from '../src/callbacks/callbacks.store.js'
import {
  ACCOUNT,
  type AttemptsDatabase,
  batchOn,
  createAttempt,
  fill,
  newAttemptsDatabase,
} from './attempts-database.js'

let database: AttemptsDatabase

beforeEach(async () => {
  database = await newAttemptsDatabase()
})
afterEach(() => database.close())

const PAUSE = { firstSeconds: 10, maxSeconds: 300 }

const claimOn = (run = database.run, call: CallKind = 'send', own = {}, retried = false) => {
  const bucket = { burst: 1_000, refillPerSecond: 0 }
  const request = { account: ACCOUNT, free: 64, leaseId: v7(), leaseSeconds: 60, bucket, ...own }
  return claim(run, call, request, retried)
}

async function createMany(count: number) {
  for (let nth = 0; nth < count; nth++) await createAttempt(database.run)
}

const sql = async (text: string) => (await database.client.query(text)).rows as object[]

describe('a claim of requests for money', () => {
  it('takes as many as there are tokens, and none after them', async () => {
    await createMany(12)
    await fill(database.client, 5)
    expect(await claimOn()).toHaveLength(5)
    expect(await claimOn()).toHaveLength(0)
  })

  it('takes no more than there are free slots', async () => {
    await createMany(4)
    await fill(database.client, 10)
    expect(await claimOn(undefined, 'send', { free: 2 })).toHaveLength(2)
    expect(await claimOn(undefined, 'send', { free: 0 })).toHaveLength(0)
  })

  it('never exceeds the bucket by what it refills', async () => {
    await createMany(10)
    await fill(database.client, 0)
    const bucket = { burst: 3, refillPerSecond: 1_000 }
    await sql('SELECT pg_sleep(0.1)')
    expect(await claimOn(undefined, 'send', { bucket })).toHaveLength(3)
  })

  it('takes nothing while another replica has the bucket', async () => {
    await createMany(3)
    await fill(database.client, 10)
    const other = await database.connection()
    await other.query('BEGIN')
    expect(await claimOn(batchOn(other))).toHaveLength(3)
    await createMany(2)
    expect(await claimOn()).toHaveLength(0)
    await other.query('COMMIT')
    expect(await claimOn()).toHaveLength(2)
  })

  it('makes the payment PENDING in the same transaction, with an event of both', async () => {
    const { paymentId, attemptId } = await createAttempt(database.run)
    await fill(database.client, 1)
    const [claimed] = await claimOn()
    expect(claimed).toMatchObject({ attemptId, paymentId, state: 'sending', tries: 1, misses: 0 })
    expect(await sql('SELECT status, version, attempt_version FROM payments')).toEqual([
      { status: 'PENDING', version: 2, attempt_version: 2 },
    ])
    expect(await sql('SELECT from_state, to_state, cause FROM attempt_events')).toEqual([
      { from_state: 'queued', to_state: 'sending', cause: 'claim' },
    ])
    const events = 'SELECT from_status, to_status, cause FROM payment_events ORDER BY version'
    expect(await sql(events)).toEqual([
      { from_status: null, to_status: 'INITIATED', cause: 'create' },
      { from_status: 'INITIATED', to_status: 'PENDING', cause: 'attempt' },
    ])
  })

  it('finds the rows of an earlier attempt whose answer was lost, and takes no others', async () => {
    await createMany(4)
    await fill(database.client, 10)
    const leaseId = v7()
    const first = await claimOn(undefined, 'send', { free: 2, leaseId })
    const again = await claimOn(undefined, 'send', { free: 2, leaseId }, true)
    const ids = (claimed: typeof first) => claimed.map((each) => each.attemptId).toSorted()
    expect(ids(again)).toEqual(ids(first))
    const other = { free: 2, leaseId: v7() }
    expect(await claimOn(undefined, 'send', other, true)).toHaveLength(2)
  })

  it('takes no attempt after the time in which it may be sent', async () => {
    await createAttempt(database.run, { sendSeconds: -1 })
    await fill(database.client, 1)
    expect(await claimOn()).toHaveLength(0)
  })

  it('takes no row of a later release', async () => {
    await createMany(1)
    await fill(database.client, 5)
    await sql('UPDATE attempt_work SET format = 2')
    expect(await claimOn()).toHaveLength(0)
  })

  it('makes a query due when its lease ends, and not before', async () => {
    const { attemptId } = await createAttempt(database.run)
    await fill(database.client, 5)
    await claimOn()
    expect(await claimOn(undefined, 'query')).toHaveLength(0)
    await sql(`UPDATE attempt_work SET due_at = now() - interval '1 second'`)
    expect(await claimOn()).toHaveLength(0)
    expect(await claimOn(undefined, 'query')).toMatchObject([{ attemptId, state: 'sending' }])
  })
})

describe('a callback that arrives during a request for money', () => {
  it.each(['queued', 'not_sent'] as const)(
    'contradicts the answer %s: a query decides, and nothing is sent again',
    async (to) => {
      const { attemptId } = await createAttempt(database.run)
      await fill(database.client, 5)
      const leaseId = v7()
      const [claimed] = await claimOn(undefined, 'send', { leaseId })
      const callback = {
        account: ACCOUNT,
        attemptId,
        headers: {},
        bytes: Buffer.from('{}'),
        reading: { verdict: 'unsigned', reading: { kind: 'no_news' } },
        at: new Date(),
        operationId: v7(),
      } as const
      await database.run(STORE_CALLBACK, [inputOf(callback)])
      const lease = { id: leaseId, call: 'send', missed: false, nextSeconds: 0 } as const
      const concluded = await conclude(database.run, ACCOUNT, {
        attemptId,
        operationId: v7(),
        cause: 'response',
        actor: ACCOUNT,
        to,
        failure: to === 'not_sent' ? 'provider_unavailable' : undefined,
        lease: { ...lease, claimedAt: claimed?.claimedAt ?? '' },
      })
      expect(concluded).toMatchObject({ outcome: 'superseded', state: 'sending' })
      expect(await claimOn()).toEqual([])
      expect(await claimOn(undefined, 'query')).toMatchObject([{ attemptId, tries: 1 }])
    },
  )
})

describe('the circuit', () => {
  it('opens after five failures in a row, for longer each time, and then allows one call', async () => {
    await createMany(3)
    await fill(database.client, 100)
    const fail = () => recordCall(database.run, ACCOUNT, 'send', true, PAUSE)
    for (let nth = 0; nth < 4; nth++) await fail()
    expect(await claimOn(undefined, 'send', { free: 1 })).toHaveLength(1)
    await fail()
    expect(await claimOn()).toHaveLength(0)
    const pause = () =>
      sql(`SELECT round(extract(epoch FROM open_until - now()))::integer AS seconds, failures
             FROM provider_call_limits WHERE call = 'send'`)
    expect(await pause()).toEqual([{ seconds: 10, failures: 5 }])
    // Calls that began before do not extend the pause.
    await fail()
    expect(await pause()).toEqual([{ seconds: 10, failures: 5 }])
    const end = () => sql(`UPDATE provider_call_limits SET open_until = now()`)
    await end()
    expect(await claimOn()).toHaveLength(1)
    await fail()
    expect(await pause()).toEqual([{ seconds: 20, failures: 6 }])
    await end()
    await recordCall(database.run, ACCOUNT, 'send', false, PAUSE)
    expect(await claimOn()).toHaveLength(1)
    const failures = `SELECT failures FROM provider_call_limits WHERE call = 'send'`
    expect(await sql(failures)).toEqual([{ failures: 0 }])
  })

  it('lets queries continue at a tenth of their rate', async () => {
    await createMany(30)
    await fill(database.client, 100)
    await claimOn()
    await sql(`UPDATE attempt_work SET due_at = now() - interval '1 second', lease_id = NULL`)
    for (let nth = 0; nth < 5; nth++) await recordCall(database.run, ACCOUNT, 'query', true, PAUSE)
    await sql('UPDATE provider_call_limits SET failures = 4, tokens = 0, refilled_at = now()')
    await sql('SELECT pg_sleep(0.5)')
    const bucket = { burst: 100, refillPerSecond: 40 }
    const claimed = await claimOn(undefined, 'query', { bucket })
    // 0.5 s at 4 a second, or more on a slow machine, which would be 20 or more at the whole rate.
    expect(claimed.length).toBeGreaterThanOrEqual(2)
    expect(claimed.length).toBeLessThan(15)
  })
})

describe('a claim of queries', () => {
  it('prefers callbacks to scheduled queries, and these to queries on request', async () => {
    await createMany(9)
    await fill(database.client, 100)
    await claimOn()
    const set = (priority: number, offset: number) =>
      sql(`UPDATE attempt_work SET lease_id = NULL, due_at = now() - interval '1 second', priority = ${priority}
            WHERE attempt_id IN (SELECT attempt_id FROM attempt_work ORDER BY attempt_id LIMIT 3 OFFSET ${offset})`)
    await set(2, 0)
    await set(1, 3)
    await set(0, 6)
    const order: number[] = []
    for (let nth = 0; nth < 9; nth++) {
      const [claimed] = await claimOn(undefined, 'query', { free: 1 })
      const text = `SELECT priority FROM attempt_work WHERE attempt_id = '${claimed?.attemptId}'`
      order.push(...(await sql(text)).map((row) => (row as { priority: number }).priority))
    }
    expect(order).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2])
  })

  it('reads few rows of many, with and without tokens', async () => {
    await createMany(1)
    await sql(`
      INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email,
                            metadata, status, created_at, updated_at, version, account)
      SELECT gen_random_uuid(), gen_random_uuid(), 5000, 'UGX', 'MOBILE_MONEY', '+256772123456', 'a@example.com',
             '{}', 'PENDING', now(), now(), 2, '${ACCOUNT}' FROM generate_series(1, 20000)`)
    await sql(`
      INSERT INTO payment_attempts (id, payment_id, account, reference, state, send_until, created_at, updated_at, version)
      SELECT id, id, '${ACCOUNT}', id::text, 'accepted', now(), now(), now(), 3
        FROM payments WHERE status = 'PENDING'`)
    await sql(`
      INSERT INTO attempt_work (attempt_id, account, owner_id, call, due_at)
      SELECT id, account, payment_id, 'query', now() + (random() * 2000 - 1000) * interval '1 second'
        FROM payment_attempts WHERE state = 'accepted'`)
    await sql('ANALYZE')
    await fill(database.client, 100)
    const buffers = async (call: CallKind) => {
      let plan = ''
      const explain: typeof database.run = async (statement, values) => {
        const text = `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${statement.text}`
        const { rows } = await database.client.query(text, [...values])
        plan = JSON.stringify(rows[0]['QUERY PLAN'])
        return []
      }
      await claimOn(explain, call, { free: 10 })
      expect(plan).not.toContain(
        'Seq Scan","Parent Relationship":"Outer","Parallel Aware":false,"Async Capable":false,"Relation Name":"attempt_work"',
      )
      return Number(/"Shared Hit Blocks":(\d+)/.exec(plan)?.[1])
    }
    expect(await buffers('query')).toBeLessThan(1_500)
    expect(await buffers('send')).toBeLessThan(200)
  })
})
