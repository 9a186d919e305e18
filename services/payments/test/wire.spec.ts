import { v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { as, newPayment, paymentInput } from './requests.js'
import { withPayments } from './with-payments.js'

const { payments, owner } = await withPayments()

const PATH = '/api/payments'

describe('every error is problem+json', () => {
  it.each<[string, number, string, string, object]>([
    ['400', 400, 'POST', PATH, { body: '{' }],
    ['400 for a query', 400, 'GET', `${PATH}/PAY-1`, {}],
    ['401', 401, 'GET', PATH, { token: '' }],
    ['404 for a route', 404, 'GET', '/api/nothing', {}],
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
    ['an undecodable path', 400, '/api/payments/%zz'],
    ['too long a path segment', 414, `/api/payments/${'x'.repeat(101)}`],
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

  it('400 for validation names each field in errors', async () => {
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
  ])('for %s %s names the allowed methods', async (method, path, allowed) => {
    const { status, headers } = await payments.client.send(method, path, { token: owner.token })
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe(allowed)
  })
})

describe('bodies', () => {
  it('of 100 kB are accepted, and one byte more is rejected', async () => {
    const { token } = owner
    const text = (bytes: number) => JSON.stringify(paymentInput()).padEnd(bytes, ' ')
    const { client } = payments
    expect((await client.post(PATH, text(100_000), { token })).status).toBe(201)
    expect((await client.post(PATH, text(100_001), { token })).status).toBe(413)
  })

  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON'])(
    'of %s are accepted',
    async (type) => {
      const headers = { 'content-type': type }
      const { token } = owner
      expect((await payments.client.post(PATH, paymentInput(), { token, headers })).status).toBe(
        201,
      )
    },
  )

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/merge-patch+json', 'x'])(
    'of %s return 415',
    async (type) => {
      const headers = { 'content-type': type }
      const { token } = owner
      expect((await payments.client.post(PATH, paymentInput(), { token, headers })).status).toBe(
        415,
      )
    },
  )
})

describe('every response', () => {
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

  it('of the API has Cache-Control: no-store', async () => {
    for (const { headers } of (await answers()).slice(0, 4)) {
      expect(headers.get('cache-control')).toBe('no-store')
    }
  })

  it('does not name the software', async () => {
    for (const { headers } of await answers()) {
      expect(headers.get('x-powered-by')).toBeNull()
      expect(headers.get('server')).toBeNull()
    }
  })
})

describe('X-Request-Id', () => {
  it.each(['abc', '0d4f0c5e-7d0c-4c43-9f0a-1c8d5b0f6f11', 'A.b:c_d-9', 'x'.repeat(128)])(
    'is echoed if valid: %s',
    async (id) => {
      const { headers, body } = await payments.client.get(PATH, { headers: { 'x-request-id': id } })
      expect(headers.get('x-request-id')).toBe(id)
      expect(body.requestId).toBe(id)
    },
  )

  it.each(['', 'with space', 'a"b', '<script>', 'x'.repeat(129), '-a', 'é', '{"level":"fatal"}'])(
    'is replaced if invalid: %s',
    async (id) => {
      const { headers, body } = await payments.client.get(PATH, { headers: { 'x-request-id': id } })
      expect(headers.get('x-request-id')).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
      expect(body.requestId).toBe(headers.get('x-request-id'))
    },
  )

  it('is generated if missing, a new one for each request', async () => {
    const one = await payments.client.get(PATH)
    const other = await payments.client.get(PATH)
    expect(one.body.requestId).not.toBe(other.body.requestId)
  })
})

describe('CORS', () => {
  const origin = 'https://shop.example.com'
  const preflight = { origin, 'access-control-request-method': 'POST' }

  it('is off by default', async () => {
    const { headers } = await payments.client.get('/health/live', { headers: { origin } })
    expect(headers.get('access-control-allow-origin')).toBeNull()
    const answer = await payments.client.send('OPTIONS', PATH, { headers: preflight })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('is on for the configured origins only', async () => {
    const replica = await payments.replica({ CORS_ORIGINS: `https://a.example.com,${origin}` })
    const allowed = await replica.client.sendUnchecked('OPTIONS', PATH, { headers: preflight })
    expect(allowed.status).toBe(204)
    expect(allowed.headers.get('access-control-allow-origin')).toBe(origin)
    const plain = await replica.client.sendUnchecked('OPTIONS', PATH, {})
    expect(plain.status).toBe(204)
    const answer = await replica.client.get(PATH, { headers: { origin } })
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
    expect(answer.headers.get('access-control-expose-headers')).toContain('ETag')
    const evil = 'https://evil.example.com'
    const other = await replica.client.get(PATH, { headers: { origin: evil } })
    expect(other.headers.get('access-control-allow-origin')).not.toBe(evil)
    expect(other.headers.get('access-control-allow-origin')).not.toBe('*')
    await replica.close()
  })

  it.each([
    ['https://APP.Example:443/', 'https://app.example', 'https://app.example'],
    ['*', 'https://any.example', '*'],
  ])('with CORS_ORIGINS=%s, scripts of %s may read', async (CORS_ORIGINS, sender, allowed) => {
    const replica = await payments.replica({ CORS_ORIGINS })
    const { headers } = await replica.client.get(PATH, { headers: { origin: sender } })
    expect(headers.get('access-control-allow-origin')).toBe(allowed)
    await replica.close()
  })
})

it('HEAD returns the headers of GET without a body', async () => {
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
