import { v7 } from 'uuid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findUnsendable } from '../src/attempts/attempt.store.js'
import { type CallKind, claim } from '../src/attempts/claim.store.js'
import { conclude } from '../src/attempts/conclude.store.js'
import type { Conclusion } from '../src/attempts/conclusion.js'
import { afterQuery } from '../src/attempts/conclusions.js'
import { STORE_CALLBACK } from '../src/callbacks/callback.statement.js'
import { inputOf } from '../src/callbacks/callbacks.store.js'
import { matchedFrom, matchParked } from '../src/callbacks/parked.statement.js'
import { mtnMomo } from '../src/providers/mtn-momo/mtn-momo.js'
import type { CallbackReading, QueryReading } from '../src/providers/reading.js'
import {
  ACCOUNT,
  type AttemptsDatabase,
  createAttempt,
  type Created,
  fill,
  newAttemptsDatabase,
} from './attempts-database.js'

/**
 * R17: a callback of a queued attempt shows that the provider may have its charge, whether an answer said that it was
 * not sent, or the database is a restored one. The attempt is queried, and not sent before.
 */

let database: AttemptsDatabase
let attempt: Created
beforeEach(async () => {
  database = await newAttemptsDatabase()
  await fill(database.client, 100)
  attempt = await createAttempt(database.run)
})
afterEach(() => database.close())

const sql = async (text: string) => (await database.client.query(text)).rows as object[]

interface Lease {
  readonly id: string
  readonly call: CallKind
  readonly claimedAt: string
}

async function claimed(call: CallKind): Promise<Lease[]> {
  const id = v7()
  const bucket = { burst: 100, refillPerSecond: 0 }
  const request = { account: ACCOUNT, free: 64, leaseId: id, leaseSeconds: 60, bucket }
  const calls = await claim(database.run, call, request, false)
  return calls.map(({ claimedAt }) => ({ id, call, claimedAt }))
}

async function theLease(call: CallKind): Promise<Lease> {
  const [lease] = await claimed(call)
  if (!lease) throw new Error(`no ${call} was claimed`)
  return lease
}

const concluded = (own: Partial<Conclusion>, lease?: Lease, nextSeconds = 0) =>
  conclude(database.run, ACCOUNT, {
    attemptId: attempt.attemptId,
    operationId: v7(),
    cause: 'query',
    actor: ACCOUNT,
    to: undefined,
    lease: lease && { ...lease, missed: false, nextSeconds },
    ...own,
  })

/** The attempt is queued after a request that was not sent. */
async function sendInVain() {
  await concluded({ cause: 'response', to: 'queued' }, await theLease('send'))
}

type Verdict = CallbackReading['verdict']

const callbackOf = (verdict: Verdict, { attemptId } = attempt, body = v7()) =>
  inputOf({
    account: ACCOUNT,
    attemptId,
    headers: {},
    bytes: Buffer.from(body),
    reading: { verdict, reading: { kind: 'no_news' } },
    at: new Date(),
    operationId: v7(),
  })

const receive = (...inputs: ReturnType<typeof callbackOf>[]) =>
  database.client.query({
    ...STORE_CALLBACK,
    values: [JSON.stringify(inputs.map((input, nth) => ({ nth, ...input })))],
  })

const states = () =>
  sql(`SELECT attempt.state, payments.status, call
         FROM payment_attempts AS attempt
         JOIN payments ON payments.id = payment_id
         LEFT JOIN attempt_work ON attempt_id = attempt.id ORDER BY attempt.id`)

describe.each(['unsigned', 'invalid'] as const)('an %s callback of a queued attempt', (verdict) => {
  it('between two requests makes a query due at once, and prevents the second one', async () => {
    await sendInVain()
    await receive(callbackOf(verdict))
    expect(await claimed('send')).toEqual([])
    expect(await claimed('query')).toHaveLength(1)
  })

  it('before any request makes a query due, and changes no payment by itself', async () => {
    await receive(callbackOf(verdict))
    expect(await claimed('send')).toEqual([])
    expect(await states()).toEqual([{ state: 'queued', status: 'INITIATED', call: 'query' }])
    expect(await claimed('query')).toHaveLength(1)
  })
})

it('a signed callback of a queued attempt prevents a request until it is applied', async () => {
  await sendInVain()
  await receive(callbackOf('signed'))
  expect(await claimed('send')).toEqual([])
  expect(await claimed('query')).toEqual([])
  await sql(`UPDATE attempt_work SET due_at = due_at - interval '2 seconds'`)
  expect(await claimed('query')).toHaveLength(1)
})

it('several callbacks of a batch make a query due by the earliest of each attempt', async () => {
  const first = attempt
  await sendInVain()
  const second = await createAttempt(database.run)
  const third = await createAttempt(database.run)
  const other = await createAttempt(database.run)
  await receive(
    callbackOf('signed', first),
    callbackOf('signed', second),
    callbackOf('unsigned', second),
    callbackOf('unsigned', third),
    callbackOf('signed', third),
    callbackOf('signed', first),
  )
  expect(await claimed('query')).toHaveLength(2)
  const work = await sql(`SELECT attempt_id FROM attempt_work WHERE call = 'send'`)
  expect(work).toEqual([{ attempt_id: other.attemptId }])
  expect(await claimed('send')).toHaveLength(1)
})

describe('the query of a queued attempt', () => {
  beforeEach(async () => {
    await sendInVain()
    await receive(callbackOf('unsigned'))
  })

  it.each<QueryReading>([
    { kind: 'no_news' },
    { kind: 'unknown_there' },
    { kind: 'pending' },
    { kind: 'declined', failure: 'payer_rejected' },
    { kind: 'succeeded', amount: '5000', currency: 'UGX', transactionId: 'T1' },
    { kind: 'succeeded', amount: '1', currency: 'UGX', transactionId: 'T1' },
  ])('puts it in doubt with any answer, and the next query decides: %j', async (reading) => {
    const lease = await theLease('query')
    const facts = { state: 'queued', amountMinor: 5_000n, currency: 'UGX', tries: 1 } as const
    const times = { misses: 0, sentSecondsAgo: 5, sendSecondsLeft: 55 }
    const pace = { scale: 1, queryMaxSeconds: 60, random: 0 }
    const {
      missed: _,
      nextSeconds,
      ...own
    } = afterQuery(mtnMomo, { ...facts, ...times }, reading, pace)
    await concluded(own, lease, nextSeconds)
    expect(await states()).toEqual([{ state: 'in_doubt', status: 'PENDING', call: 'query' }])
    expect(await claimed('send')).toEqual([])
    expect(await claimed('query')).toHaveLength(1)
  })

  it('stays due if it was not made', async () => {
    await concluded({}, await theLease('query'))
    expect(await claimed('send')).toEqual([])
    expect(await claimed('query')).toHaveLength(1)
  })

  it('decides, and not the time until which the attempt may be sent', async () => {
    await sql(`UPDATE attempt_work SET send_until = now() - interval '1 second'`)
    expect(await findUnsendable(database.run, [ACCOUNT], [ACCOUNT], 64)).toEqual([])
    // The expiry has found the attempt before the callback.
    const expiry = { cause: 'expiry', to: 'not_sent', from: ['queued'] } as const
    const { outcome } = (await concluded({ ...expiry, failure: 'provider_unavailable' })) ?? {}
    expect(outcome).toBe('superseded')
    expect(await claimed('query')).toHaveLength(1)
  })

  it('decides unless an operator does', async () => {
    const operator = { cause: 'operator', to: 'not_sent', from: ['queued'] } as const
    await concluded({ ...operator, failure: 'not_sent' })
    expect(await states()).toEqual([{ state: 'not_sent', status: 'FAILED', call: null }])
  })
})

it.each<Partial<Conclusion>>([
  { cause: 'webhook', to: 'accepted' },
  { cause: 'webhook', to: 'declined', failure: 'payer_rejected' },
  { cause: 'webhook', attention: 'amount_mismatch' },
  { cause: 'callback', to: 'declined', failure: 'payer_rejected' },
])('a signed message puts a queued attempt in doubt: %j', async (own) => {
  await concluded(own)
  expect(await states()).toEqual([{ state: 'in_doubt', status: 'PENDING', call: 'query' }])
  expect(await claimed('send')).toEqual([])
  expect(await claimed('query')).toHaveLength(1)
})

it('a parked callback that names a queued attempt by the provider’s reference prevents a request', async () => {
  const reading = { verdict: 'signed', reading: { kind: 'pending' } } as const
  const providerReference = 'ws_CO_1'
  const parked = { ...callbackOf('signed'), attempt_id: undefined }
  parked.provider_reference = providerReference
  parked.reading = { ...reading, providerReference } as never
  await receive(parked)
  const lease = await theLease('send')
  await concluded({ cause: 'response', to: 'queued', providerReference }, lease)
  await matchParked(database.run, ACCOUNT, matchedFrom(new Date()), 64)
  expect(await claimed('send')).toEqual([])
  expect(await claimed('query')).toHaveLength(1)
})
