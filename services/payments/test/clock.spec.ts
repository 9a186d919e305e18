import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { newUser } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, fromProvider, newPayment, webhookBody } from './requests.js'

const actual = Date.now.bind(Date)
/** More than the tolerance of a signature. */
const BEHIND_MS = 360_000

describe('a replica whose clock is 6 minutes behind', () => {
  let payments: Payments
  let user: ReturnType<typeof as>
  beforeAll(async () => {
    vi.spyOn(Date, 'now').mockImplementation(() => actual() - BEHIND_MS)
    payments = await startPayments()
    user = as(await newUser(), payments)
  })
  afterAll(async () => {
    await payments.close()
    vi.restoreAllMocks()
  })

  it('reports the offset', async () => {
    expect(Math.abs((await payments.metric('clock_offset_seconds')) - 360)).toBeLessThan(1)
  })

  it('accepts a webhook that was signed now', async () => {
    const reference = await newPayment(user)
    const { status } = await fromProvider(payments, webhookBody(reference, 'PENDING'))
    expect(status).toBe(200)
  })

  it('states its time if the timestamp of a webhook is outside of the tolerance', async () => {
    const body = webhookBody(await newPayment(user), 'PENDING')
    const answer = await fromProvider(payments, body, { at: new Date(actual() - 301_000) })
    expect(answer.status).toBe(401)
    const [time = ''] = /\d{4}-\S+Z/.exec(answer.body.detail as string) ?? []
    expect(Math.abs(Date.parse(time) - actual())).toBeLessThan(10_000)
  })

  it('stores the time of the database, and lists payments by it', async () => {
    // The offset is measured to a few milliseconds.
    const from = new Date(actual() - 1_000).toISOString()
    const reference = await newPayment(user, 'PENDING')
    const { body } = await user.get(reference)
    for (const time of [body.createdAt, body.updatedAt] as string[]) {
      expect(Math.abs(Date.parse(time) - actual())).toBeLessThan(10_000)
    }
    const list = await user.list(`?createdFrom=${from}`)
    expect(list.body.data.map((one: { reference: string }) => one.reference)).toContain(reference)
    const times = `SELECT abs(extract(epoch FROM now() - created_at)) < 10 AS "isNow" FROM payments`
    expect(await payments.sql(`${times} ORDER BY id DESC LIMIT 1`)).toEqual([{ isNow: true }])
  })
})
