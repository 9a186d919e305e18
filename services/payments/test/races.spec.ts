import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { lockRow, untilBlocked } from './locks.js'
import { type Payments, startPayments } from './payments.js'
import { as, type As, newPayment, news } from './requests.js'

let payments: Payments
let owner: User
let user: As
beforeAll(async () => {
  payments = await startPayments()
  owner = await newUser()
  user = as(owner, payments)
})
afterAll(() => payments.close())

/** The answer to a request that had to wait while another transaction moved its payment. */
async function whileMoved<T>(reference: string, to: string, begin: () => Promise<T>): Promise<T> {
  const release = await lockRow(payments, reference)
  const begun = begin()
  await untilBlocked(payments, 1)
  await release(to)
  return begun
}

describe('who waits for another change of the same payment is judged by what that one left', () => {
  it('a transition that was too early', async () => {
    const reference = await newPayment(user)
    const answer = await whileMoved(reference, 'PENDING', () => user.move(reference, 'SUCCESS'))
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCESS', version: 3 } })
  })

  it('a transition that is late now', async () => {
    const reference = await newPayment(user)
    const answer = await whileMoved(reference, 'PENDING', () => user.move(reference, 'PENDING'))
    expect(answer).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/PENDING/) },
    })
    expect((await user.get(reference)).body.version).toBe(2)
  })

  it('a transition whose If-Match was right', async () => {
    const reference = await newPayment(user)
    const ifMatch = { 'if-match': '"1"' }
    const answer = await whileMoved(reference, 'PENDING', () =>
      user.move(reference, 'SUCCESS', ifMatch),
    )
    expect(answer.status).toBe(412)
  })

  it('a webhook that was too early', async () => {
    const reference = await newPayment(user)
    const answer = await whileMoved(reference, 'PENDING', () =>
      user.webhook(news(reference, 'SUCCESS')),
    )
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCESS', version: 3 } })
  })

  it('a webhook that is past now', async () => {
    const reference = await newPayment(user)
    const answer = await whileMoved(reference, 'PENDING', () =>
      user.webhook(news(reference, 'PENDING')),
    )
    expect(answer).toMatchObject({ status: 200, body: { status: 'PENDING', version: 2 } })
  })
})

describe('a payment that is held for longer than DB_WAIT_MS', () => {
  it('is not waited for: 503 with Retry-After, and the others are served', async () => {
    const hasty = await payments.replica({ DB_WAIT_MS: '800' })
    const hurried = as(owner, hasty)
    const [held, free] = [await newPayment(user), await newPayment(user)]
    const release = await lockRow(payments, held)
    const begin = Date.now()
    const [answer, other] = await Promise.all([
      hurried.move(held, 'PENDING'),
      hurried.move(free, 'PENDING'),
    ])
    expect(Date.now() - begin).toBeLessThan(6_000)
    expect([answer.status, other.status]).toEqual([503, 200])
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    await release()
    await hasty.close()
  })
})
