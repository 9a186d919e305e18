import type { Answer } from '@malipo/testing/conformity'
import { describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { as, newPayment } from './requests.js'
import { untilWaiting, waitingRead as read } from './waiting-reads.js'
import { withPayments } from './with-payments.js'

/** How many requests may wait for a change, and what they cost other requests. */

const { payments, owner, user } = await withPayments()

const PER_CALLER = 100
const PER_REPLICA = 1_000

const rejected = (limit: string) =>
  payments.metric(`payment_waits_rejected_total{limit="${limit}"}`)

/** On a slow machine, a wait may end before the last one has begun. */
async function untilChanged(account: User, reference: string): Promise<Answer> {
  const options = { wait: 30, headers: { 'if-none-match': '"1"' } }
  for (;;) {
    const answer = await read(payments, account, reference, options)
    if (answer.status !== 304) return answer
  }
}

/**
 * Starts requests that wait for one payment, few enough at a time that the load shedder rejects none. The returned
 * function ends them by a change, and returns their different answers.
 */
async function startWaits(account: User, count: number) {
  const mine = as(account, payments)
  const reference = await newPayment(mine)
  const waits: Promise<Answer>[] = []
  const before = await payments.metric('payment_waiters')
  while (waits.length < count) {
    const more = Math.min(50, count - waits.length)
    for (let n = 0; n < more; n++) waits.push(untilChanged(account, reference))
    await untilWaiting(payments, before + waits.length)
  }
  return async () => {
    expect((await mine.move(reference, 'PENDING')).status).toBe(200)
    const answers = await Promise.all(waits)
    return new Set(answers.map(({ status, body }) => `${status} ${body.status}`))
  }
}

it('rejects a caller’s 101st request that waits with 429, and no other request', async () => {
  const end = await startWaits(owner, PER_CALLER)
  const before = await rejected('caller')
  const [open, final] = [await newPayment(user), await newPayment(user, 'PENDING', 'FAILED')]
  const { status, headers, body } = await read(payments, owner, open, { wait: 30 })
  expect([status, body.type, headers.get('retry-after')]).toEqual([
    429,
    '/problems/too-many-waits',
    '5',
  ])
  expect(await rejected('caller')).toBe(before + 1)
  expect((await read(payments, owner, final, { wait: 30 })).status).toBe(200)
  expect((await user.get(open)).status).toBe(200)
  const stranger = await newUser()
  const endOther = await startWaits(stranger, 1)
  expect(await endOther()).toEqual(new Set(['200 PENDING']))
  expect(await end()).toEqual(new Set(['200 PENDING']))
  const endAgain = await startWaits(owner, PER_CALLER)
  await endAgain()
})

describe('1,000 requests that wait', { timeout: 120_000 }, () => {
  it('are the most of a replica: the next gets 503, and each other request is served', async () => {
    const accounts = await Promise.all(Array.from({ length: 10 }, () => newUser()))
    const ends = []
    for (const account of accounts) ends.push(await startWaits(account, PER_CALLER))
    const reference = await newPayment(user)
    const { status, headers, body } = await read(payments, owner, reference, { wait: 30 })
    expect([status, body.type, headers.get('retry-after')]).toEqual([
      503,
      '/problems/unavailable',
      '5',
    ])
    expect(await rejected('replica')).toBeGreaterThan(0)
    // More than the load shedder admits at once, from a caller whose requests wait.
    const busy = as(accounts[0] as User, payments)
    const answers = await Promise.all(Array.from({ length: 150 }, () => busy.list('?limit=1')))
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]))
    await untilWaiting(payments, PER_REPLICA)
    for (const end of ends) expect(await end()).toEqual(new Set(['200 PENDING']))
    await untilWaiting(payments, 0)
  })
})
