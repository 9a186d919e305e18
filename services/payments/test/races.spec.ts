import { describe, expect, it } from 'vitest'
import { lockRow, untilBlocked } from './locks.js'
import { as, newPayment, webhookBody } from './requests.js'
import { withPayments } from './with-payments.js'

const { payments, owner, user } = await withPayments()

/** Returns the response to a request that waits for a lock while another transaction changes the payment. */
async function whileMoved<T>(reference: string, to: string, begin: () => Promise<T>): Promise<T> {
  const release = await lockRow(payments, reference)
  const begun = begin()
  await untilBlocked(payments, 1)
  await release(to)
  return begun
}

describe('a request that waits for a concurrent change is decided on the new state:', () => {
  it('a transition that was not allowed yet', async () => {
    const reference = await newPayment(user)
    const answer = await whileMoved(reference, 'PENDING', () => user.move(reference, 'SUCCESS'))
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCESS', version: 3 } })
  })

  it('a transition that is not allowed any more', async () => {
    const reference = await newPayment(user)
    const answer = await whileMoved(reference, 'PENDING', () => user.move(reference, 'PENDING'))
    expect(answer).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/PENDING/) },
    })
    expect((await user.get(reference)).body.version).toBe(2)
  })

  it('a transition whose If-Match matched', async () => {
    const reference = await newPayment(user)
    const ifMatch = { 'if-match': '"1"' }
    const answer = await whileMoved(reference, 'PENDING', () =>
      user.move(reference, 'SUCCESS', ifMatch),
    )
    expect(answer.status).toBe(412)
  })

  it('a webhook that was premature', async () => {
    const reference = await newPayment(user)
    const answer = await whileMoved(reference, 'PENDING', () =>
      user.webhook(webhookBody(reference, 'SUCCESS')),
    )
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCESS', version: 3 } })
  })

  it('a webhook that is superseded', async () => {
    const reference = await newPayment(user)
    const answer = await whileMoved(reference, 'PENDING', () =>
      user.webhook(webhookBody(reference, 'PENDING')),
    )
    expect(answer).toMatchObject({ status: 200, body: { status: 'PENDING', version: 2 } })
  })
})

describe('a payment that stays locked for longer than DB_WAIT_MS', () => {
  it('returns 503 with Retry-After, while other payments are served', async () => {
    const impatient = await payments.replica({ DB_WAIT_MS: '800' })
    const impatientUser = as(owner, impatient)
    const [held, free] = [await newPayment(user), await newPayment(user)]
    const release = await lockRow(payments, held)
    const begin = Date.now()
    const [answer, other] = await Promise.all([
      impatientUser.move(held, 'PENDING'),
      impatientUser.move(free, 'PENDING'),
    ])
    expect(Date.now() - begin).toBeLessThan(6_000)
    expect([answer.status, other.status]).toEqual([503, 200])
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    await release()
    await impatient.close()
  })
})
