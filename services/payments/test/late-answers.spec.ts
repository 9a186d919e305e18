import { v7 } from 'uuid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { claim } from '../src/attempts/claim.store.js'
import { conclude } from '../src/attempts/conclude.store.js'
import type { Conclusion } from '../src/attempts/conclusion.js'
import {
  ACCOUNT,
  type AttemptsDatabase,
  createAttempt,
  fill,
  newAttemptsDatabase,
} from './attempts-database.js'

/** Answers of a replica that was frozen in a call for longer than its lease, while another one asked again. */

let database: AttemptsDatabase
beforeEach(async () => {
  database = await newAttemptsDatabase()
  await createAttempt(database.run)
  await fill(database.client, 100)
})
afterEach(() => database.close())

const sql = async (text: string) => (await database.client.query(text)).rows as object[]

/** Claims the call of the attempt, whose earlier lease has ended. */
async function claimed(call: 'send' | 'query') {
  await sql('UPDATE attempt_work SET due_at = now()')
  const leaseId = v7()
  const bucket = { burst: 100, refillPerSecond: 0 }
  const request = { account: ACCOUNT, free: 1, leaseId, leaseSeconds: 60, bucket }
  const [attempt] = await claim(database.run, call, request, false)
  if (!attempt) throw new Error('nothing was claimed')
  const { attemptId, claimedAt } = attempt
  return (own: Partial<Conclusion>) =>
    conclude(database.run, ACCOUNT, {
      attemptId,
      operationId: v7(),
      cause: 'query',
      actor: ACCOUNT,
      to: undefined,
      lease: { id: leaseId, call, claimedAt, missed: true, nextSeconds: 60 },
      ...own,
    })
}

async function flags() {
  const [payment] = await sql('SELECT status, needs_attention FROM payments')
  const [attempt] = await sql('SELECT attention FROM payment_attempts')
  return { ...payment, ...attempt }
}

describe('a late answer', () => {
  it.each(['vanished', 'deadline'] as const)(
    'without news does not flag a payment that has succeeded: %s',
    async (attention) => {
      await claimed('send')
      const late = await claimed('query')
      const next = await claimed('query')
      await next({ to: 'succeeded', transactionId: 'T1' })
      expect(await late({ attention })).toMatchObject({ outcome: 'unchanged' })
      expect(await flags()).toEqual({ status: 'SUCCESS', needs_attention: false, attention: null })
    },
  )

  it('without news does not flag an open payment of which a later answer is known', async () => {
    await claimed('send')
    const late = await claimed('query')
    const next = await claimed('query')
    await next({ to: 'accepted' })
    await late({ to: 'in_doubt', attention: 'vanished' })
    expect(await flags()).toEqual({ status: 'PENDING', needs_attention: false, attention: null })
  })

  it('about money flags the payment, also by a late replica', async () => {
    await claimed('send')
    const late = await claimed('query')
    const next = await claimed('query')
    await next({ to: 'declined', failure: 'payer_timeout' })
    await late({ attention: 'amount_mismatch' })
    const attention = 'amount_mismatch'
    expect(await flags()).toEqual({ status: 'FAILED', needs_attention: true, attention })
  })
})

it('an answer without news flags an open payment', async () => {
  await claimed('send')
  const query = await claimed('query')
  await query({ to: 'in_doubt', attention: 'vanished' })
  const attention = 'vanished'
  expect(await flags()).toEqual({ status: 'PENDING', needs_attention: true, attention })
})
