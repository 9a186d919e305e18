import { v7 } from 'uuid'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { claim } from '../src/attempts/claim.store.js'
import { conclude } from '../src/attempts/conclude.store.js'
import { STORE_CALLBACK } from '../src/callbacks/callback.statement.js'
import { inputOf } from '../src/callbacks/callbacks.store.js'
import type { CallbackReading } from '../src/providers/reading.js'
import {
  ACCOUNT,
  type AttemptsDatabase,
  createAttempt,
  type Created,
  fill,
  newAttemptsDatabase,
} from './attempts-database.js'

/** R19: what a callback makes due of an attempt that has ended. */

let database: AttemptsDatabase
let attempt: Created
beforeEach(async () => {
  database = await newAttemptsDatabase()
  attempt = await createAttempt(database.run)
  await fill(database.client, 100)
})
afterEach(() => database.close())

async function claimed(call: 'send' | 'query') {
  const bucket = { burst: 100, refillPerSecond: 0 }
  const request = { account: ACCOUNT, free: 1, leaseId: v7(), leaseSeconds: 60, bucket }
  return claim(database.run, call, request, false)
}

/** Ends the attempt after its request was sent. */
async function end(to: 'succeeded' | 'declined', aftercareSeconds?: number) {
  await claimed('send')
  const failure = to === 'declined' ? 'payer_rejected' : undefined
  const { attemptId } = attempt
  const own = { attemptId, operationId: v7(), cause: 'response', actor: ACCOUNT } as const
  await conclude(database.run, ACCOUNT, { ...own, to, failure, aftercareSeconds })
}

async function receive(
  kind: CallbackReading['reading']['kind'],
  verdict: 'signed' | 'unsigned' = 'unsigned',
) {
  const reading = { verdict, reading: { kind, failure: 'payer_timeout' } } as CallbackReading
  const callback = {
    account: ACCOUNT,
    attemptId: attempt.attemptId,
    headers: {},
    bytes: Buffer.from(`${kind} ${verdict}`),
    reading,
    at: new Date(),
    operationId: v7(),
  }
  await database.run(STORE_CALLBACK, [inputOf(callback)])
}

it('a success after a failure is queried, though no query was to follow', async () => {
  await end('declined')
  expect(await claimed('query')).toHaveLength(0)
  await receive('succeeded')
  await receive('succeeded')
  expect(await claimed('query')).toMatchObject([{ state: 'declined', tries: 1 }])
})

it('a success after a failure is queried at once, though a query would follow later', async () => {
  await end('declined', 600)
  await receive('succeeded')
  expect(await claimed('query')).toHaveLength(1)
})

it('a failure after a failure uses none of the queries that follow', async () => {
  await end('declined', 600)
  await receive('declined')
  expect(await claimed('query')).toHaveLength(0)
})

it('a signed success, which is applied after its answer, is queried if that fails', async () => {
  await end('declined')
  await receive('succeeded', 'signed')
  expect(await claimed('query')).toHaveLength(0)
  await database.client.query(`UPDATE attempt_work SET due_at = due_at - interval '2 seconds'`)
  expect(await claimed('query')).toHaveLength(1)
})

it('no callback after a success makes a query due, nor one after a late success', async () => {
  await end('succeeded')
  await receive('succeeded')
  expect(await claimed('query')).toHaveLength(0)
  attempt = await createAttempt(database.run)
  await end('declined')
  await database.client.query('UPDATE payment_attempts SET late_success_at = now()')
  await receive('succeeded')
  expect(await claimed('query')).toHaveLength(0)
})
