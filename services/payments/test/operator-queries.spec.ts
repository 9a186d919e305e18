import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { grant, newUser } from './auth.js'
import { type Operator, operatorOf, problemOf } from './operators-stage.js'
import { type ProviderStage, startProviderStage } from './provider-stage.js'

/** Queries that operators ask for, at the providers of the simulator. */

let stage: ProviderStage
let operator: Operator
beforeAll(async () => {
  stage = await startProviderStage()
  operator = operatorOf(await grant(await newUser(), 'payments:admin', 'sandbox'), stage.payments)
}, 60_000)
afterAll(() => stage.close())

async function charged(customerPhone: string) {
  const { body } = await stage.user.create({ provider: 'mtn-ug', customerPhone })
  const { data } = (await operator.list(`?payment=${body.reference}`)).body
  return { attemptId: data[0].id as string, reference: body.reference as string }
}

const attempt = async (id: string) => (await operator.get(id)).body

/** Waits until the attempt waits for a query, which is then scheduled for never. */
async function withoutQueries(id: string, state: string): Promise<void> {
  await until(async () => (await attempt(id)).state === state)
  await stage.payments.sql(`UPDATE attempt_work SET due_at = 'infinity' WHERE attempt_id = $1`, id)
}

describe('a query', () => {
  it('is made at once, and settles the attempt', async () => {
    const { attemptId, reference } = await charged('+256772900000')
    await until(async () => (await stage.user.get(reference)).body.status === 'SUCCESS')
    const before = await attempt(attemptId)
    expect(before.work).toBeNull()
    const answer = await operator.query(attemptId)
    expect(answer).toMatchObject({ status: 202, body: { id: attemptId, state: 'succeeded' } })
    // The provider says the same again, so that the work ends.
    await until(async () => (await attempt(attemptId)).work === null)
    expect((await attempt(attemptId)).version).toBe(before.version)
    const { data } = (await operator.actions(`?attempt=${attemptId}`)).body
    expect(data).toMatchObject([
      { action: 'query', operator: operator.id, details: { result: 'query' } },
    ])
  })

  it('of an attempt that an operator declined finds its success', async () => {
    // Paid, but queries find the charge only after 9 minutes of the simulator, which are 5.4 s.
    const { attemptId, reference } = await charged('+256772900015')
    await until(async () => (await attempt(attemptId)).state === 'accepted')
    const resolution = { outcome: 'declined', reason: 'Known.', evidence: 'ticket 4711' }
    expect((await operator.resolve(attemptId, resolution)).status).toBe(200)
    await until(async () => {
      const { status } = await operator.query(attemptId)
      expect(status).toBe(202)
      return (await attempt(attemptId)).attention === 'late_success'
    })
    expect((await stage.user.get(reference)).body).toMatchObject({
      status: 'FAILED',
      needsAttention: true,
      lateSuccess: { amount: '5000' },
    })
  })

  it('of an attempt without scheduled queries is made', async () => {
    // Never decided.
    const { attemptId } = await charged('+256772900019')
    await withoutQueries(attemptId, 'accepted')
    const { tries } = (await attempt(attemptId)).work
    expect((await operator.query(attemptId)).status).toBe(202)
    await until(async () => (await attempt(attemptId)).work.tries > tries)
  })

  it('of a queued attempt is 409', async () => {
    const { attemptId } = await charged('+256772900019')
    await withoutQueries(attemptId, 'accepted')
    await stage.payments.sql(
      `UPDATE payment_attempts SET state = 'queued' WHERE id = $1`,
      attemptId,
    )
    expect(problemOf(await operator.query(attemptId))).toBe('409 attempt-state')
    const { data } = (await operator.actions(`?attempt=${attemptId}`)).body
    expect(data).toEqual([])
  })
})
