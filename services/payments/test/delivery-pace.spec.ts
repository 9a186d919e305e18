import { until } from '@malipo/testing/until'
import { afterAll, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { startPayments } from './payments.js'
import { startReceiver } from './receiver.js'
import { as, newPayment } from './requests.js'

const PER_SECOND = 10
const COUNT = 16

const receiver = await startReceiver()
const payments = await startPayments({
  WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
  NOTIFICATIONS_PER_SECOND: String(PER_SECOND),
})
afterAll(async () => {
  await payments.close()
  await receiver.close()
})

it('delivers no more in a second than NOTIFICATIONS_PER_SECOND', async () => {
  const owner = await newUser()
  const merchant = endpointsOf(owner, payments)
  for (let nth = 0; nth < 4; nth++)
    await newEndpoint(merchant, { url: receiver.url, events: ['*'] })
  const user = as(owner, payments)
  const begun = performance.now()
  for (let nth = 0; nth < COUNT / 4; nth++) await newPayment(user, 'PENDING')
  await until(async () => receiver.received.length >= COUNT)
  const seconds = (performance.now() - begun) / 1_000
  // One delivery may begin at once.
  expect(seconds).toBeGreaterThanOrEqual((COUNT - 1) / PER_SECOND)
  await until(async () => {
    const [{ left } = { left: 1 }] = await payments.sql<{ left: number }>(
      'SELECT count(*)::int AS left FROM delivery_work',
    )
    return left === 0
  })
  expect(receiver.received).toHaveLength(COUNT)
})
