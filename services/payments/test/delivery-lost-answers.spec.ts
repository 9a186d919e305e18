import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type DeliveryLogOf, deliveryLogOf, storedNotification } from './delivery-log.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { type Payments, startPayments } from './payments.js'
import { startStatementProxy, type StatementProxy } from './statement-proxy.js'

/** The proxy closes the connection after PostgreSQL has committed and before its result is returned. */

let watched: StatementProxy
let payments: Payments

beforeAll(async () => {
  const started = await startStatementProxy()
  const { databaseUrl } = started
  watched = started.watched
  // This replica delivers nothing.
  payments = await startPayments({ DATABASE_URL: watched.through(databaseUrl), ROLES: 'api' })
})
afterAll(async () => {
  await payments.close()
  await watched.proxy.close()
})

let owner: User
let log: DeliveryLogOf
let endpointId: string
beforeEach(async () => {
  owner = await newUser()
  log = deliveryLogOf(owner, payments)
  watched.reset()
  const { id } = await newEndpoint(endpointsOf(owner, payments), { events: ['*'] })
  endpointId = id as string
})

const stored = (state?: string) =>
  storedNotification(payments, {
    ownerId: owner.id,
    ...(state === undefined ? {} : { endpointId, state }),
  })

describe('a lost result', () => {
  it('of a resend responds 202, and resends once', async () => {
    await stored('failed')
    const [{ id }] = (await log.list(endpointId)).body.data
    watched.loseResultOf('delivery_resend')
    expect((await log.resend(id)).status).toBe(202)
    expect(watched.sent).toBeGreaterThan(0)
    const resends = `
      SELECT FROM deliveries JOIN delivery_work USING (resend_id) WHERE deliveries.endpoint_id = $1`
    expect(await payments.sql(resends, endpointId)).toHaveLength(1)
  })

  it('of a ping sends one', async () => {
    watched.loseResultOf('endpoint_ping')
    const { status, body } = await log.ping(endpointId)
    expect([status, watched.sent > 0]).toEqual([202, true])
    const { data } = (await log.list(endpointId)).body
    expect(data).toMatchObject([{ id: body.delivery, event: body.event }])
  })

  it('of a replay responds with the number of its deliveries', async () => {
    for (const state of [undefined, undefined, 'failed', 'delivered']) await stored(state)
    watched.loseResultOf('endpoint_replay')
    const from = new Date(Date.now() - 60_000).toISOString()
    const answer = await log.replay(endpointId, { from, to: '2031-01-01T00:00:00Z' })
    expect(answer).toMatchObject({ status: 202, body: { deliveries: 3 } })
    expect(watched.sent).toBeGreaterThan(0)
  })
})
