import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, newPayment, wish } from './requests.js'

let payments: Payments
let owner: User
beforeAll(async () => {
  payments = await startPayments()
  owner = await newUser()
})
afterAll(() => payments.close())

const PATH = '/api/payments'

describe('every error is problem+json', () => {
  it.each<[string, number, string, string, object]>([
    ['400', 400, 'POST', PATH, { body: '{' }],
    ['401', 401, 'GET', PATH, { token: '' }],
    ['404 of a payment', 404, 'GET', `${PATH}/PAY-1`, {}],
    ['404 of a route', 404, 'GET', '/api/nothing', {}],
    ['404 outside the API', 404, 'GET', '/nothing', {}],
    ['405', 405, 'DELETE', PATH, {}],
    ['413', 413, 'POST', PATH, { body: 'x'.repeat(100_001) }],
    ['415', 415, 'POST', PATH, { body: 'a=b', headers: { 'content-type': 'text/plain' } }],
  ])('%s', async (_, expected, method, path, options) => {
    const query = '?customerPhone=0772123456'
    const answer = await payments.client.send(method, path + (method === 'GET' ? query : ''), {
      token: owner.token,
      ...options,
    })
    expect(answer.status).toBe(expected)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.body).toMatchObject({
      type: expect.stringMatching(/^\/problems\/[a-z-]+$/),
      title: expect.stringMatching(/./),
      status: expected,
      detail: expect.stringMatching(/./),
      instance: path,
      requestId: answer.headers.get('x-request-id'),
    })
  })

  it.each([
    ['an address that is no address', 400, '/api/payments/%zz'],
    ['a part of the path that is too long', 414, `/api/payments/${'x'.repeat(101)}`],
  ])('%s', async (_, expected, path) => {
    const answer = await payments.client.sendUnchecked('GET', `${path}?customerPhone=0772123456`, {
      headers: { 'x-request-id': 'odd-address' },
    })
    expect(answer.status).toBe(expected)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('x-request-id')).toBe('odd-address')
    expect(answer.body).toMatchObject({
      status: expected,
      instance: path,
      requestId: 'odd-address',
    })
    expect(JSON.stringify(answer.body)).not.toContain('0772123456')
  })

  it('400 of a validation names each field in errors', async () => {
    const { body } = await as(owner, payments).create({ amount: 0, extra: 1 })
    expect(body.errors).toEqual([
      { field: 'extra', message: expect.any(String) },
      { field: 'amount', message: expect.any(String) },
    ])
  })
})

describe('405', () => {
  it.each([
    ['PUT', PATH, 'GET, HEAD, POST'],
    ['POST', `${PATH}/PAY-1`, 'GET, HEAD'],
    ['GET', `${PATH}/PAY-1/status`, 'POST'],
    ['DELETE', `${PATH}/webhook/provider`, 'POST'],
    ['PATCH', '/health/live', 'GET, HEAD'],
  ])('to %s %s says what is allowed', async (method, path, allowed) => {
    const { status, headers } = await payments.client.send(method, path, { token: owner.token })
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe(allowed)
  })
})

describe('bodies', () => {
  it('of 100 kB are read, and of a byte more refused', async () => {
    const { token } = owner
    const text = (bytes: number) => JSON.stringify(wish()).padEnd(bytes, ' ')
    const { client } = payments
    expect((await client.post(PATH, text(100_000), { token })).status).toBe(201)
    expect((await client.post(PATH, text(100_001), { token })).status).toBe(413)
  })

  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON'])(
    'of %s are read',
    async (type) => {
      const headers = { 'content-type': type }
      const { token } = owner
      expect((await payments.client.post(PATH, wish(), { token, headers })).status).toBe(201)
    },
  )

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/merge-patch+json', 'x'])(
    'of %s are 415',
    async (type) => {
      const headers = { 'content-type': type }
      const { token } = owner
      expect((await payments.client.post(PATH, wish(), { token, headers })).status).toBe(415)
    },
  )
})

describe('every answer', () => {
  const answers = () =>
    Promise.all([
      as(owner, payments).create(),
      as(owner, payments).list(),
      as(owner, payments).get('PAY-1'),
      payments.client.get(PATH),
      payments.client.get('/health/live'),
      payments.client.get('/nothing'),
    ])

  it('has HSTS and nosniff', async () => {
    for (const { headers } of await answers()) {
      expect(headers.get('strict-transport-security')).toMatch(/^max-age=\d{7,}/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
    }
  })

  it('of the API is not to be stored', async () => {
    for (const { headers } of (await answers()).slice(0, 4)) {
      expect(headers.get('cache-control')).toBe('no-store')
    }
  })

  it('says nothing of what it was made with', async () => {
    for (const { headers } of await answers()) {
      expect(headers.get('x-powered-by')).toBeNull()
      expect(headers.get('server')).toBeNull()
    }
  })
})

describe('X-Request-Id', () => {
  it.each(['abc', '0d4f0c5e-7d0c-4c43-9f0a-1c8d5b0f6f11', 'A.b:c_d-9', 'x'.repeat(128)])(
    'that is sane comes back: %s',
    async (id) => {
      const { headers, body } = await payments.client.get(PATH, { headers: { 'x-request-id': id } })
      expect(headers.get('x-request-id')).toBe(id)
      expect(body.requestId).toBe(id)
    },
  )

  it.each(['', 'with space', 'a"b', '<script>', 'x'.repeat(129), '-a', 'é', '{"level":"fatal"}'])(
    'that is not is replaced: %s',
    async (id) => {
      const { headers, body } = await payments.client.get(PATH, { headers: { 'x-request-id': id } })
      expect(headers.get('x-request-id')).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
      expect(body.requestId).toBe(headers.get('x-request-id'))
    },
  )

  it('is made up when there is none, another for each request', async () => {
    const one = await payments.client.get(PATH)
    const other = await payments.client.get(PATH)
    expect(one.body.requestId).not.toBe(other.body.requestId)
  })
})

describe('CORS', () => {
  const origin = 'https://shop.example.com'
  const preflight = { origin, 'access-control-request-method': 'POST' }

  it('is off unless origins are named', async () => {
    const { headers } = await payments.client.get('/health/live', { headers: { origin } })
    expect(headers.get('access-control-allow-origin')).toBeNull()
    const answer = await payments.client.send('OPTIONS', PATH, { headers: preflight })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('is on for the origins that are named and for no others', async () => {
    const replica = await payments.replica({ CORS_ORIGINS: `https://a.example.com,${origin}` })
    const allowed = await replica.client.sendUnchecked('OPTIONS', PATH, { headers: preflight })
    expect(allowed.status).toBe(204)
    expect(allowed.headers.get('access-control-allow-origin')).toBe(origin)
    const answer = await replica.client.get(PATH, { headers: { origin } })
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
    expect(answer.headers.get('access-control-expose-headers')).toContain('ETag')
    const evil = 'https://evil.example.com'
    const other = await replica.client.get(PATH, { headers: { origin: evil } })
    expect(other.headers.get('access-control-allow-origin')).not.toBe(evil)
    expect(other.headers.get('access-control-allow-origin')).not.toBe('*')
    await replica.close()
  })
})

it('HEAD is answered as GET is, without a body', async () => {
  const reference = await newPayment(as(owner, payments))
  const head = (one: string) =>
    fetch(`${payments.client.url}${PATH}/${one}`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${owner.token}` },
    })
  const answer = await head(reference)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('etag')).toBe('"1"')
  expect(await answer.text()).toBe('')
  expect((await head(`PAY-${v7()}`)).status).toBe(404)
})
