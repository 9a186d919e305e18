import { randomUUID } from 'node:crypto'
import { describe, expect, inject, it } from 'vitest'
import { newServer } from './api-keys.js'
import { grant, newUser } from './auth.js'
import { endpointInput, endpointsOf, newEndpoint } from './endpoints.js'
import { startPayments } from './payments.js'
import { withPayments } from './with-payments.js'

/** Access to webhook endpoints: owners, scopes and modes. */

const { payments, owner } = await withPayments()
const merchant = endpointsOf(owner, payments)
const newMerchant = async () => endpointsOf(await newUser(), payments)

describe('access', () => {
  it('to endpoints of other merchants is 404', async () => {
    const { id } = await newEndpoint(merchant)
    const other = await newMerchant()
    for (const target of [id, randomUUID(), 'x', '%00']) {
      const answers = await Promise.all([
        other.get(target),
        other.change(target, { state: 'disabled' }),
        other.rotate(target),
        other.remove(target),
      ])
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
      expect(answers[0]?.body.type).toBe('/problems/endpoint-not-found')
    }
    expect((await other.list()).body.data).toEqual([])
    expect((await merchant.get(id)).body.version).toBe(1)
  })

  it('of an operator is to the own endpoints only', async () => {
    const { id } = await newEndpoint(merchant)
    const operator = await grant(await newUser(), 'payments:admin', 'sandbox')
    expect((await endpointsOf(operator, payments).get(id)).status).toBe(404)
  })

  it.each([
    [['payments:read'], { reads: 200, writes: 403 }],
    [['webhooks:write'], { reads: 200, writes: 201 }],
    [['payments:write'], { reads: 403, writes: 403 }],
    [['payments:settle'], { reads: 403, writes: 403 }],
  ])('with the scopes %j', async (scopes, { reads, writes }) => {
    const user = await newUser()
    const { id } = await newEndpoint(endpointsOf(user, payments))
    const server = endpointsOf(await newServer(inject('authUrl'), user, { scopes }), payments)
    expect((await server.list()).status).toBe(reads)
    expect((await server.get(id)).status).toBe(reads)
    expect((await server.create()).status).toBe(writes)
    const isAllowed = writes === 201
    expect((await server.change(id, {})).status).toBe(isAllowed ? 200 : 403)
    expect((await server.rotate(id)).status).toBe(isAllowed ? 200 : 403)
    expect((await server.remove(id)).status).toBe(isAllowed ? 204 : 403)
  })

  it('needs a token', async () => {
    const { client } = payments
    const path = '/api/webhook-endpoints'
    const answers = await Promise.all([
      client.get(path),
      client.post(path, endpointInput()),
      client.get(`${path}/${randomUUID()}`),
      client.send('PATCH', `${path}/${randomUUID()}`, { body: {} }),
      client.send('DELETE', `${path}/${randomUUID()}`),
      client.post(`${path}/${randomUUID()}/rotate-secret`, {}),
    ])
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(401))
  })
})

describe('in live', () => {
  it('an endpoint needs https, and a merchant webhooks:write', async () => {
    const live = await startPayments({ MODE: 'live', AUTH_SERVICE_URL: inject('liveAuthUrl') })
    const user = await newUser(inject('liveAuthUrl'))
    expect((await endpointsOf(user, live).create()).status).toBe(403)
    const approved = await grant(user, 'payments:write,webhooks:write', 'live')
    const merchantInLive = endpointsOf(approved, live)
    expect((await merchantInLive.create()).status).toBe(201)
    expect((await merchantInLive.create({ url: 'http://merchant.example/' })).status).toBe(400)
    await live.close()
  })
})

describe('without encryption keys', () => {
  it('the service starts, shows and deletes endpoints, and makes no secret', async () => {
    const replica = await payments.replica({ WEBHOOK_ENCRYPTION_KEYS_DIR: undefined })
    const { id } = await newEndpoint(merchant)
    const there = endpointsOf(owner, replica)
    const refused = await there.create()
    expect([refused.status, refused.body.type]).toEqual([
      501,
      '/problems/webhook-secrets-unavailable',
    ])
    expect((await there.rotate(id)).status).toBe(501)
    expect((await there.get(id)).status).toBe(200)
    expect((await there.change(id, { state: 'disabled' })).status).toBe(200)
    expect((await there.remove(id)).status).toBe(204)
    await replica.close()
  })
})
