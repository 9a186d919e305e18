import { Client as Connection } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, type As, newPayment, news } from './requests.js'

let payments: Payments
let user: As
beforeAll(async () => {
  payments = await startPayments()
  user = as(await newUser(), payments)
})
afterAll(() => payments.close())

/** Holds a payment's row as another transaction would, moves it, and lets go. */
async function whileLocked(reference: string, to: string, begin: () => Promise<unknown>) {
  const holder = new Connection({ connectionString: payments.databaseUrl })
  await holder.connect()
  await holder.query('BEGIN')
  await holder.query(
    'UPDATE payments SET status = $2, version = version + 1 WHERE reference = $1',
    [reference, to],
  )
  const begun = begin()
  await untilBlocked(1)
  await holder.query('COMMIT')
  await holder.end()
  return begun
}

async function untilBlocked(count: number) {
  await expect
    .poll(
      async () => {
        const [row] = await payments.sql<{ n: number }>(
          `SELECT count(*)::int AS n FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
        return row?.n
      },
      { timeout: 5_000 },
    )
    .toBe(count)
}

describe('who waits for another change of the same payment', () => {
  it('is judged by what that one left: a transition', async () => {
    const reference = await newPayment(user)
    const answer = await whileLocked(reference, 'PENDING', () => user.move(reference, 'SUCCESS'))
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCESS', version: 3 } })
  })

  it('is judged by what that one left: a webhook', async () => {
    const reference = await newPayment(user)
    const answer = await whileLocked(reference, 'PENDING', () =>
      user.webhook(news(reference, 'SUCCESS')),
    )
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCESS', version: 3 } })
  })
})
