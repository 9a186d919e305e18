import { v7 } from 'uuid'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { claim } from '../src/attempts/claim.store.js'
import { conclude } from '../src/attempts/conclude.store.js'
import { STORE_CALLBACK } from '../src/callbacks/callback.statement.js'
import { inputOf } from '../src/callbacks/callbacks.store.js'
import { countParked, matchedFrom, matchParked } from '../src/callbacks/parked.statement.js'
import type { CallbackReading } from '../src/providers/reading.js'
import {
  ACCOUNT,
  type AttemptsDatabase,
  createAttempt,
  fill,
  newAttemptsDatabase,
} from './attempts-database.js'

/** Callbacks that arrive before their attempt, or its reference at the provider, is known. */

let database: AttemptsDatabase
beforeEach(async () => {
  database = await newAttemptsDatabase()
  await fill(database.client, 100)
})
afterEach(() => database.close())

const HOUR_MS = 3_600_000

interface Sent {
  readonly reading?: Pick<CallbackReading, 'reference' | 'providerReference'>
  readonly attemptId?: string
  readonly at?: Date
  readonly body?: string
}

const store = ({ reading = {}, attemptId, at = new Date(), body = v7() }: Sent) =>
  database.run(STORE_CALLBACK, [
    inputOf({
      account: ACCOUNT,
      attemptId,
      headers: {},
      bytes: Buffer.from(body),
      reading: { verdict: 'signed', reading: { kind: 'pending' }, ...reading },
      at,
      operationId: v7(),
    }),
  ])

const match = (limit = 64, after = matchedFrom(new Date())) =>
  matchParked(database.run, ACCOUNT, after, limit)

const messages = async () =>
  (
    await database.client.query(
      'SELECT outcome, attempt_id, payment_id FROM provider_messages ORDER BY id',
    )
  ).rows

const claimOf = (call: 'send' | 'query') =>
  claim(
    database.run,
    call,
    {
      account: ACCOUNT,
      free: 64,
      leaseId: v7(),
      leaseSeconds: 60,
      bucket: { burst: 1_000, refillPerSecond: 0 },
    },
    false,
  )

/** A sent attempt, whose first query is due in an hour. */
async function accept(attemptId: string, providerReference?: string) {
  const claimed = (await claimOf('send')).find((each) => each.attemptId === attemptId)
  const work = 'SELECT lease_id FROM attempt_work WHERE attempt_id = $1'
  const { rows } = await database.client.query(work, [attemptId])
  await conclude(database.run, ACCOUNT, {
    attemptId,
    operationId: v7(),
    cause: 'response',
    actor: ACCOUNT,
    to: 'accepted',
    providerReference,
    lease: {
      id: rows[0].lease_id,
      call: 'send',
      claimedAt: claimed?.claimedAt ?? '',
      missed: false,
      nextSeconds: 3_600,
    },
  })
}

it('a callback with the provider’s reference is matched when the answer has stated it', async () => {
  const { attemptId, paymentId } = await createAttempt(database.run)
  await store({ reading: { providerReference: 'ws_CO_1' } })
  expect(await match()).toEqual({ matched: 0, next: undefined })
  await accept(attemptId, 'ws_CO_1')
  expect(await claimOf('query')).toEqual([])
  expect(await match()).toEqual({ matched: 1, next: undefined })
  expect(await messages()).toEqual([
    { outcome: 'stored', attempt_id: attemptId, payment_id: paymentId },
  ])
  expect(await claimOf('query')).toMatchObject([{ attemptId }])
  expect(await match()).toEqual({ matched: 0, next: undefined })
})

it('a callback is matched by our reference or by the id of its URL', async () => {
  const first = { attemptId: v7(), reference: v7() }
  const second = { attemptId: v7(), reference: v7() }
  await store({ reading: { reference: first.reference } })
  // Of a URL with an attempt, nothing in the body names another one.
  await store({ attemptId: second.attemptId, reading: { reference: first.reference } })
  for (const attempt of [first, second]) {
    await createAttempt(database.run, attempt)
    await accept(attempt.attemptId)
  }
  expect(await match()).toEqual({ matched: 2, next: undefined })
  expect((await messages()).map((row) => [row.outcome, row.attempt_id])).toEqual([
    ['stored', first.attemptId],
    ['stored', second.attemptId],
  ])
})

it('the bytes of a callback that is stored already are matched only once', async () => {
  const { attemptId } = await createAttempt(database.run)
  const reading = { providerReference: 'ws_CO_2' }
  await store({ reading, body: 'same' })
  await accept(attemptId, 'ws_CO_2')
  await store({ reading, body: 'same' })
  expect(await match()).toEqual({ matched: 1, next: undefined })
  expect((await messages()).map(({ outcome }) => outcome)).toEqual(['superseded', 'stored'])
})

it('the same bytes for two unknown attempts are two callbacks, each of its attempt', async () => {
  const attempts = [
    { attemptId: v7(), reference: v7() },
    { attemptId: v7(), reference: v7() },
  ]
  for (const { attemptId } of attempts) await store({ attemptId, body: '{}' })
  await store({ attemptId: attempts[0]?.attemptId, body: '{}' })
  expect(await messages()).toHaveLength(2)
  for (const attempt of attempts) {
    await createAttempt(database.run, attempt)
    await accept(attempt.attemptId)
  }
  expect(await match()).toEqual({ matched: 2, next: undefined })
  expect((await messages()).map((row) => [row.outcome, row.attempt_id])).toEqual(
    attempts.map(({ attemptId }) => ['stored', attemptId]),
  )
})

it('pages continue after callbacks that match nothing', async () => {
  const { attemptId } = await createAttempt(database.run)
  for (let nth = 0; nth < 3; nth++) await store({ reading: { reference: v7() } })
  await store({ reading: { providerReference: 'ws_CO_3' } })
  await accept(attemptId, 'ws_CO_3')
  const first = await match(2)
  expect(first).toEqual({ matched: 0, next: expect.any(String) })
  expect(await match(2, first.next)).toEqual({ matched: 1, next: expect.any(String) })
})

it('a callback is counted, and matched no more, after 24 hours', async () => {
  const now = new Date()
  await store({ reading: { providerReference: 'x' }, at: new Date(now.getTime() - 25 * HOUR_MS) })
  await store({ reading: { providerReference: 'x' }, at: new Date(now.getTime() - 23 * HOUR_MS) })
  const { attemptId } = await createAttempt(database.run)
  await accept(attemptId, 'x')
  expect(await match()).toEqual({ matched: 1, next: undefined })
  expect(await countParked(database.run, ACCOUNT, now)).toBe(1)
})
