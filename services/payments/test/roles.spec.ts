import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@malipo/testing/until'
import { afterAll, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { startPayments } from './payments.js'
import { startReceiver } from './receiver.js'
import { as, newPayment } from './requests.js'

/** Replicas that only serve requests, and replicas that only work. */

const own = { WEBHOOK_ALLOW_HOSTS: '127.0.0.1' }
const api = await startPayments({ ...own, ROLES: 'api' })
const receiver = await startReceiver()
afterAll(async () => {
  await api.close()
  await receiver.close()
})

it('a replica without the role worker delivers nothing, and one with it delivers all', async () => {
  const owner = await newUser()
  await newEndpoint(endpointsOf(owner, api), { url: receiver.url, events: ['*'] })
  await newPayment(as(owner, api), 'PENDING', 'SUCCESS')
  await sleep(1_500)
  expect(receiver.received).toEqual([])
  const worker = await api.replica({ ROLES: 'worker' })
  await until(() => receiver.received.length === 2)
  await worker.close()
})

it.each(['web', 'api,web'])('payments does not start with ROLES=%j', async (ROLES) => {
  await expect(startPayments({ ...own, ROLES })).rejects.toThrow(/ROLES/)
})
