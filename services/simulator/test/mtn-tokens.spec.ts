import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  MTN_SANDBOX,
  MTN_UGANDA,
  mtnHeaders,
  mtnTokenHeaders,
  type Simulator,
  startSimulator,
} from './simulator.js'
import { until } from '@malipo/testing/until'

type Headers = Readonly<Record<string, string | undefined>>

/** The status of a query of an unknown charge: 404 with a valid token. */
async function queryStatus(simulator: Simulator, headers: Headers): Promise<number> {
  const url = `/collection/v1_0/requesttopay/${randomUUID()}`
  return (await simulator.request({ url, headers })).status
}

describe('a token', () => {
  const token = (simulator: Simulator, headers: Headers, payload?: string) =>
    simulator.request({ method: 'POST', url: '/collection/token/', headers, payload })
  const GRANT = '{"grant_type":"client_credentials"}'

  it.each([undefined, '', GRANT, 'grant_type=client_credentials'])(
    'is issued for the body %j',
    async (payload) => {
      const simulator = await startSimulator()
      expect(await token(simulator, mtnTokenHeaders(), payload)).toMatchObject({
        status: 200,
        body: {
          access_token: expect.stringMatching(/^eyJ/),
          token_type: 'access_token',
          expires_in: 3_600,
        },
      })
    },
  )

  it.each<[string, object, Headers, number, unknown]>([
    ['another secret', { apiKey: 'x' }, {}, 401, { error: 'login_failed' }],
    ['another user', { userId: randomUUID() }, {}, 401, { error: 'login_failed' }],
    ['no subscription key', { subscriptionKey: '' }, {}, 401, { statusCode: 401 }],
    ['another subscription key', { subscriptionKey: 'x' }, {}, 401, { statusCode: 401 }],
    [
      'another secret on the new platform',
      { ...MTN_UGANDA, apiKey: 'x' },
      {},
      401,
      { error: 'invalid_client' },
    ],
    [
      'no target environment on the new platform',
      MTN_UGANDA,
      { 'x-target-environment': undefined },
      400,
      { error: 'Invalid or missing X-Target-Environment header' },
    ],
  ])('is refused for %s', async (_title, account, headers, status, body) => {
    const simulator = await startSimulator()
    const given = { ...mtnTokenHeaders({ ...MTN_SANDBOX, ...account }), ...headers }
    expect(await token(simulator, given)).toMatchObject({ status, body })
  })

  it('needs no target environment on the legacy platform', async () => {
    const simulator = await startSimulator()
    const headers = { ...mtnTokenHeaders(), 'x-target-environment': undefined }
    expect(await token(simulator, headers)).toMatchObject({ status: 200 })
  })

  it('is refused with HTML for the user agent that the new platform blocks', async () => {
    const simulator = await startSimulator()
    const userAgent = { 'user-agent': 'python-requests/2.34.2' }
    const refused = await token(simulator, { ...mtnTokenHeaders(MTN_UGANDA), ...userAgent })
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('<title>403 Forbidden</title>')
    expect(await token(simulator, { ...mtnTokenHeaders(), ...userAgent })).toMatchObject({
      status: 200,
    })
  })

  it('expires after the lifetime of the account', async () => {
    const simulator = await startSimulator({
      accounts: (all) => ({
        ...all,
        mtnMomo: all.mtnMomo.map((account) => ({ ...account, tokenSeconds: 1 })),
      }),
    })
    const headers = await mtnHeaders(simulator)
    expect(await queryStatus(simulator, headers)).toBe(404)
    await until(async () => (await queryStatus(simulator, headers)) === 401)
  })

  it('can state another lifetime than it has', async () => {
    const lifetimes = { tokenSeconds: 1, tokenStatedSeconds: 3_600 }
    const simulator = await startSimulator({
      accounts: (all) => ({
        ...all,
        mtnMomo: all.mtnMomo.map((account) => ({ ...account, ...lifetimes })),
      }),
    })
    const { body } = await token(simulator, mtnTokenHeaders())
    expect(body).toMatchObject({ expires_in: 3_600 })
    const headers = await mtnHeaders(simulator)
    await until(async () => (await queryStatus(simulator, headers)) === 401)
  })
})

describe('provisioning in the sandbox', () => {
  const key = { 'ocp-apim-subscription-key': 'any subscription' }
  const create = (simulator: Simulator, id: string, headers: Headers = key) =>
    simulator.request({
      method: 'POST',
      url: '/v1_0/apiuser',
      headers: { ...headers, 'x-reference-id': id },
      payload: { providerCallbackHost: 'localhost' },
    })
  const createKey = async (simulator: Simulator, id: string) => {
    const url = `/v1_0/apiuser/${id}/apikey`
    const { status, body } = await simulator.request({ method: 'POST', url, headers: key })
    return { status, apiKey: (body as { apiKey: string }).apiKey }
  }
  const account = (userId: string, apiKey: string) => ({
    ...MTN_SANDBOX,
    userId,
    apiKey,
    subscriptionKey: 'any subscription',
  })

  it('creates a user once, and its key', async () => {
    const simulator = await startSimulator()
    const id = randomUUID()
    expect(await create(simulator, id)).toMatchObject({ status: 201, text: '' })
    expect(await create(simulator, id)).toMatchObject({
      status: 409,
      body: { code: 'RESOURCE_ALREADY_EXIST' },
    })
    expect(await simulator.request({ url: `/v1_0/apiuser/${id}`, headers: key })).toMatchObject({
      status: 200,
      body: { providerCallbackHost: 'localhost', targetEnvironment: 'sandbox' },
    })
    const { status, apiKey } = await createKey(simulator, id)
    expect(status).toBe(201)
    expect(apiKey).toMatch(/^[\da-f]{32}$/)
    const headers = await mtnHeaders(simulator, account(id, apiKey))
    expect(await queryStatus(simulator, headers)).toBe(404)
  })

  it('invalidates the tokens of the old key by a new one', async () => {
    const simulator = await startSimulator()
    const id = randomUUID()
    await create(simulator, id)
    const first = await createKey(simulator, id)
    const headers = await mtnHeaders(simulator, account(id, first.apiKey))
    await createKey(simulator, id)
    expect(await queryStatus(simulator, headers)).toBe(401)
  })

  it('refuses a request without a subscription key or a UUID of version 4', async () => {
    const simulator = await startSimulator()
    expect(await create(simulator, randomUUID(), {})).toMatchObject({ status: 401 })
    const version7 = '019aa0a0-0000-7000-8000-000000000000'
    expect(await create(simulator, version7)).toMatchObject({ status: 400 })
  })

  it('knows no user of another subscription, and creates no key of a configured user', async () => {
    const simulator = await startSimulator()
    const id = randomUUID()
    await create(simulator, id)
    const other = { 'ocp-apim-subscription-key': 'other' }
    expect(await simulator.request({ url: `/v1_0/apiuser/${id}`, headers: other })).toMatchObject({
      status: 401,
    })
    expect(await createKey(simulator, MTN_SANDBOX.userId)).toMatchObject({ status: 404 })
  })
})
