import { setTimeout as sleep } from 'node:timers/promises'
import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claim } from '../src/attempts/claim.store.js'
import { conclude } from '../src/attempts/conclude.store.js'
import type { Conclusion } from '../src/attempts/conclusion.js'
import { batchOn } from './attempts-database.js'
import { type OperatorStage, startOperatorStage } from './operators-stage.js'
import { openPaymentsDatabase, type PaymentsDatabase, runOn } from './payments-database.js'

/** What a provider says before, while and after an operator resolves its attempt. */

let stage: OperatorStage
let database: PaymentsDatabase
let apply: (conclusion: Omit<Conclusion, 'operationId' | 'actor'>) => ReturnType<typeof conclude>
beforeAll(async () => {
  stage = await startOperatorStage('sandbox')
  database = openPaymentsDatabase(stage.payments.databaseUrl)
  const run = batchOn(await database.connection())
  apply = (conclusion) =>
    conclude(run, 'mtn-ug', { ...conclusion, operationId: v7(), actor: 'mtn-ug' })
})
afterAll(async () => {
  await database.close()
  await stage.close()
})

const byOperator = {
  succeeded: () => ({
    outcome: 'succeeded',
    reason: 'As the statement says.',
    evidence: 'line 17',
    transactionId: v7(),
  }),
  declined: () => ({ outcome: 'declined', reason: 'As support says.', evidence: 'ticket 4711' }),
  not_sent: () => ({ outcome: 'not_sent', reason: 'As support says.', evidence: 'ticket 4711' }),
}

const success = (attemptId: string) =>
  ({ attemptId, cause: 'query', to: 'succeeded', transactionId: v7(), paidMinor: 5_000n }) as const
const failure = (attemptId: string) =>
  ({ attemptId, cause: 'query', to: 'declined', failure: 'payer_rejected' }) as const

async function resolved(how: keyof typeof byOperator) {
  const charge = await stage.charge('in_doubt')
  const answer = await stage.operators[0].resolve(charge.attemptId, byOperator[how]())
  expect(answer.status).toBe(200)
  return charge
}

const paymentOf = async (reference: string) => (await stage.operators[0].payment(reference)).body

describe('after an operator’s resolution', () => {
  it.each(['declined', 'not_sent'] as const)(
    'as %s, a success of the provider is a late success',
    async (how) => {
      const { attemptId, payment } = await resolved(how)
      const said = success(attemptId)
      expect(await apply(said)).toMatchObject({ outcome: 'late_success' })
      expect(await paymentOf(payment)).toMatchObject({
        status: 'FAILED',
        needsAttention: true,
        lateSuccess: { amount: '5000', providerTransactionId: said.transactionId },
      })
      expect(await stage.attempt(attemptId)).toMatchObject({
        attention: 'late_success',
        call: null,
      })
    },
  )

  it('as succeeded, a failure of the provider needs an operator', async () => {
    const { attemptId, payment } = await resolved('succeeded')
    expect(await apply(failure(attemptId))).toMatchObject({ outcome: 'late_failure' })
    expect(await paymentOf(payment)).toMatchObject({ status: 'SUCCESS', needsAttention: true })
    expect((await stage.operators[0].get(attemptId)).body).toMatchObject({
      state: 'succeeded',
      attention: 'late_failure',
    })
    expect(await apply(failure(attemptId))).toMatchObject({ outcome: 'superseded' })
    const clear = { reason: 'The provider was wrong, see ticket 4711.' }
    expect((await stage.operators[1].resolve(attemptId, clear)).body.attention).toBeNull()
    expect(await paymentOf(payment)).toMatchObject({ status: 'SUCCESS', needsAttention: false })
  })

  it('as succeeded, a success of the provider changes nothing', async () => {
    const { attemptId, payment } = await resolved('succeeded')
    const before = await paymentOf(payment)
    expect(await apply(success(attemptId))).toMatchObject({ outcome: 'unchanged' })
    expect(await paymentOf(payment)).toEqual(before)
  })

  it('as declined, a failure of the provider changes nothing', async () => {
    const { attemptId, payment } = await resolved('declined')
    const before = await paymentOf(payment)
    expect(await apply(failure(attemptId))).toMatchObject({ outcome: 'unchanged' })
    expect(await paymentOf(payment)).toEqual(before)
  })
})

it('a failure that a provider reports after its own success changes nothing', async () => {
  const { attemptId, payment } = await stage.charge('in_doubt')
  await apply(success(attemptId))
  const before = await paymentOf(payment)
  expect(await apply(failure(attemptId))).toMatchObject({ outcome: 'superseded' })
  expect(await paymentOf(payment)).toEqual(before)
})

it('a query under way when an operator resolves its attempt takes no effect on the work', async () => {
  const { attemptId } = await stage.charge('in_doubt', { account: 'acme' })
  const client = await database.connection()
  await client.query(
    `UPDATE provider_call_limits SET tokens = 10, refilled_at = now() WHERE account = 'acme'`,
  )
  await client.query('BEGIN')
  await client.query('UPDATE attempt_work SET due_at = now() WHERE attempt_id = $1', [attemptId])
  const leaseId = v7()
  const bucket = { burst: 10, refillPerSecond: 0 }
  const request = { account: 'acme', free: 1, leaseId, leaseSeconds: 60, bucket }
  const [claimed] = await claim(runOn(client), 'query', request, false)
  await client.query('COMMIT')
  expect(claimed?.attemptId).toBe(attemptId)
  await stage.operators[0].resolve(attemptId, byOperator.declined())
  const before = await stage.attempt(attemptId)
  const lease = {
    id: leaseId,
    call: 'query',
    claimedAt: claimed?.claimedAt ?? '',
    missed: false,
    nextSeconds: 1,
  } as const
  const said = { attemptId, cause: 'query', to: 'accepted', lease } as const
  expect(await apply(said)).toMatchObject({ outcome: 'superseded' })
  expect(await stage.attempt(attemptId)).toEqual(before)
})

it('of an operator and a provider at once, one ends the attempt, and nothing is lost', async () => {
  const counts = { operator: 0, provider: 0 }
  for (let round = 0; round < 40; round++) {
    const { attemptId, payment } = await stage.charge('in_doubt')
    const isSuccess = round % 2 === 0
    const body = isSuccess ? byOperator.declined() : byOperator.succeeded()
    const said = isSuccess ? success(attemptId) : failure(attemptId)
    // The request takes milliseconds until its statement, and the provider's answer would always be first.
    const delayMs = round % 10
    const [answer, concluded] = await Promise.all([
      stage.operators[0].resolve(attemptId, body),
      sleep(delayMs).then(() => apply(said)),
    ])
    const isByOperator = answer.status === 200
    counts[isByOperator ? 'operator' : 'provider']++
    const late = isSuccess ? 'late_success' : 'late_failure'
    expect(concluded?.outcome).toBe(isByOperator ? late : 'applied')
    const { status, needsAttention } = await paymentOf(payment)
    expect(status === 'SUCCESS').toBe(isSuccess !== isByOperator)
    expect(needsAttention).toBe(isByOperator)
    const { data } = (await stage.operators[0].actions(`?attempt=${attemptId}`)).body
    expect(data).toHaveLength(isByOperator ? 1 : 0)
  }
  expect(counts.operator).toBeGreaterThan(0)
})
