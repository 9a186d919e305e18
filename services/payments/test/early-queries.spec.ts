import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { grant, newUser } from './auth.js'
import { type ProviderStage, startProviderStage } from './provider-stage.js'
import { as } from './requests.js'

/** Queries before their time, because an owner reads the payment, at the providers of the simulator. */

/** A payer who never decides, so that the payment stays pending. */
const NEVER = '+256772900019'

let stage: ProviderStage
beforeAll(async () => {
  stage = await startProviderStage()
}, 60_000)
afterAll(() => stage.close())

interface Work {
  readonly isRequested: boolean
  readonly tries: number
}

async function workOf(paymentId: string): Promise<Work | undefined> {
  const rows = await stage.payments.sql(
    `SELECT requested_at > '-infinity' AS "isRequested", tries
      FROM attempt_work JOIN payment_attempts ON id = attempt_id WHERE payment_id = $1`,
    paymentId,
  )
  return rows[0] as Work | undefined
}

/** A payment that was sent `seconds` ago, and whose next query is scheduled for never. */
async function pending(seconds: number) {
  const { body } = await stage.user.create({ provider: 'mtn-ug', customerPhone: NEVER })
  const { id, reference } = body as { id: string; reference: string }
  await until(async () => {
    const [row] = await stage.payments.sql(
      `WITH work AS (
        UPDATE attempt_work SET due_at = 'infinity', requested_at = '-infinity', tries = 0
        FROM payment_attempts AS attempt
        WHERE attempt.id = attempt_id AND payment_id = $1 AND call = 'query' AND lease_id IS NULL
        RETURNING attempt_id
      ), sent AS (
        UPDATE payment_attempts SET sent_at = now() - $2 * interval '1 second'
        FROM work WHERE id = attempt_id
      )
      SELECT count(*)::int AS updated FROM work`,
      id,
      seconds,
    )
    return (row as { updated: number }).updated === 1
  })
  return { id, reference }
}

describe('a pending payment', () => {
  it('is queried when its owner reads it', async () => {
    const { id, reference } = await pending(11)
    await stage.user.get(reference)
    await until(async () => (await workOf(id))?.tries === 1)
    expect(await workOf(id)).toEqual({ isRequested: true, tries: 1 })
  })

  it('is not queried when an operator reads it', async () => {
    const { id, reference } = await pending(11)
    const operator = await grant(await newUser(), 'payments:admin', 'sandbox')
    expect((await as(operator, stage.payments).get(reference)).status).toBe(200)
    const other = await pending(11)
    await stage.user.get(other.reference)
    await until(async () => (await workOf(other.id))?.isRequested !== false)
    expect(await workOf(id)).toEqual({ isRequested: false, tries: 0 })
  })

  it('is not queried in the first 10 seconds after it was sent', async () => {
    const { id, reference } = await pending(5)
    await stage.user.get(reference)
    const other = await pending(11)
    await stage.user.get(other.reference)
    await until(async () => (await workOf(other.id))?.isRequested !== false)
    expect(await workOf(id)).toEqual({ isRequested: false, tries: 0 })
  })
})
