import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { type Payments, startPayments } from './payments.js'
import { as, type As, fromProvider, newPayment, webhookBody } from './requests.js'
import { databaseWithRole } from './role-database.js'

/** The service with the privileges that the built `migrate` command grants to its role. */

const { serviceUrl, dropRole } = await databaseWithRole()

let payments: Payments
let user: As

beforeAll(async () => {
  payments = await startPayments({ DATABASE_URL: serviceUrl })
  user = as(await newUser(), payments)
})
afterAll(async () => {
  await payments.close()
  await dropRole()
})

describe('the service’s role', () => {
  it('can apply webhooks, and store and count conflicts', async () => {
    const body = webhookBody(await newPayment(user), 'PENDING')
    expect((await fromProvider(payments, body)).status).toBe(200)
    for (const _ of ['first', 'repeated']) {
      expect((await fromProvider(payments, { ...body, status: 'FAILED' })).status).toBe(422)
    }
    const stored = 'SELECT outcome, times FROM provider_messages ORDER BY id'
    expect(await payments.sql(stored)).toEqual([
      { outcome: 'applied', times: 1 },
      { outcome: 'conflict', times: 2 },
    ])
  })

  it.each([
    'body = body',
    'headers = headers',
    'reading = reading',
    'key_id = key_id',
    'times = times, received_at = received_at',
  ])('can’t change a stored message by SET %s', async (set) => {
    const update = payments.sql(`UPDATE provider_messages SET ${set}`)
    await expect(update).rejects.toMatchObject({ code: '42501' })
  })

  it('can create, change, rotate and delete webhook endpoints', async () => {
    const merchant = endpointsOf(await newUser(), payments)
    const { id } = await newEndpoint(merchant)
    expect((await merchant.change(id, { state: 'disabled' })).status).toBe(200)
    const moved = { state: 'enabled', url: 'https://other.example/' }
    expect((await merchant.change(id, moved)).status).toBe(200)
    expect((await merchant.rotate(id)).status).toBe(200)
    expect((await merchant.rotate(id)).status).toBe(200)
    expect((await merchant.remove(id)).status).toBe(204)
  })

  it.each(['DELETE FROM provider_messages', 'TRUNCATE provider_messages'])(
    'can’t execute %s',
    async (statement) => {
      await expect(payments.sql(statement)).rejects.toMatchObject({ code: '42501' })
    },
  )
})
