import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, newPerson, startAuth } from './auth.js'

let auth: Auth
let slow: Promise<string>

beforeAll(async () => {
  auth = await startAuth()
  slow = halfRequest()
})
afterAll(() => auth.close())

const HEAD = 'POST /api/auth/register HTTP/1.1\r\nHost: auth\r\nContent-Type: application/json\r\n'

/** Sends an incomplete request and returns all that the server sends before it closes the connection. */
async function halfRequest(): Promise<string> {
  const socket = connect(Number(new URL(auth.client.url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (data) => (answer += data.toString()))
  socket.write(`${HEAD}Content-Length: 200\r\n\r\n{"phone":`)
  await once(socket, 'close')
  return answer
}

const counted = async () =>
  (await auth.sql<{ users: string }>('SELECT count(*) AS users FROM users'))[0]?.users

const fields = (count: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, 1])))

const json = (change: object) => JSON.stringify({ ...newPerson(), ...change })

describe('invalid input changes nothing and gets a problem document', () => {
  it.each<[string, number, string | Uint8Array, Record<string, string>?]>([
    ['broken JSON', 400, '{"phone": "+2567'],
    ['no body', 400, ''],
    ['a list', 400, '[]'],
    ['a string', 400, '"phone"'],
    ['null', 400, 'null'],
    ['wrong types', 400, json({ phone: {}, email: [], password: 12345678 })],
    ['an unknown field', 400, json({ admin: true })],
    ['__proto__', 400, '{"__proto__": {"admin": true}, "phone": "+256772123456"}'],
    ['constructor.prototype', 400, '{"constructor": {"prototype": {"admin": true}}}'],
    ['bytes that are not UTF-8', 400, Buffer.from('{"phone": "\xff"}', 'latin1')],
    ['NUL in a password', 400, json({ password: 'long enough \0 it is' })],
    ['NUL in an email', 400, json({ email: 'a\0b@example.com' })],
    ['half of a character', 400, '{"password": "long enough \\ud83d it is"}'],
    ['3 MB', 413, json({ password: 'x'.repeat(3_000_000) })],
    ['just over 100 kB', 413, json({ password: 'x'.repeat(100_000) })],
    ['9,000 unknown fields', 400, fields(9_000)],
    ['9 levels', 400, `{"phone": ${'['.repeat(8)}${']'.repeat(8)}}`],
    ['an encoded body', 415, json({}), { 'content-encoding': 'br' }],
    ['a form', 415, 'phone=1', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['plain text', 415, json({}), { 'content-type': 'text/plain' }],
  ])('%s: %i', async (_, status, body, headers) => {
    const before = await counted()
    for (const path of ['/api/auth/register', '/api/auth/login', '/api/auth/refresh']) {
      const answer = await auth.client.post(path, body, headers && { headers })
      expect(answer.status).toBe(status)
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(answer.body).toMatchObject({
        type: expect.stringMatching(/^\/problems\/[a-z-]+$/),
        status,
        instance: path,
        requestId: answer.headers.get('x-request-id'),
      })
    }
    expect(await counted()).toBe(before)
  })

  it.each([
    ['GET', '/api/auth/nothing', 404, null],
    ['GET', '/', 404, null],
    ['GET', '/api/auth/register', 405, 'POST'],
    ['GET', '/api/auth/login', 405, 'POST'],
    ['POST', '/api/auth/validate', 405, 'GET, HEAD'],
    ['DELETE', '/api/auth/me', 405, 'GET, HEAD'],
    ['GET', '/api/auth/refresh', 405, 'POST'],
    ['GET', '/api/auth/logout', 405, 'POST'],
    ['POST', '/api/auth/sessions', 405, 'GET, HEAD'],
    ['GET', '/api/auth/sessions/1', 405, 'DELETE'],
    ['QUERY', '/api/auth/me', 405, 'GET, HEAD'],
    ['QUERY', '/api/auth/nothing', 404, null],
  ])('%s %s: %i', async (method, path, status, allow) => {
    const answer = await auth.client.send(method, path)
    expect([answer.status, answer.body.status]).toEqual([status, status])
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.headers.get('allow')).toBe(allow)
  })

  it('headers of 20 kB: 431', async () => {
    const answer = await auth.client.get('/api/auth/me', { headers: { x: 'x'.repeat(20_000) } })
    expect([answer.status, answer.body.type]).toEqual([431, '/problems/headers-too-large'])
  })

  it('a truncated request', async () => {
    const before = await counted()
    const body = json({})
    const socket = connect(Number(new URL(auth.client.url).port), '127.0.0.1')
    socket.write(`${HEAD}Content-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`)
    await sleep(50)
    socket.resetAndDestroy()
    await sleep(50)
    expect(await counted()).toBe(before)
    expect((await auth.client.get('/health/live')).status).toBe(200)
  })

  it('a slow request: 408', async () => {
    const answer = await slow
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(answer).toContain('application/problem+json')
    expect(answer).toContain('/problems/request-timeout')
  })
})

describe('response headers', () => {
  it('echo a valid request id and replace an invalid one', async () => {
    const sane = await auth.client.get('/api/auth/me', { headers: { 'x-request-id': 'mine-1' } })
    expect([sane.headers.get('x-request-id'), sane.body.requestId]).toEqual(['mine-1', 'mine-1'])
    const odd = await auth.client.get('/api/auth/me', { headers: { 'x-request-id': '{"a":1}' } })
    expect(odd.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
  })

  it('set nosniff and HSTS, and allow no other origin', async () => {
    const { headers } = await auth.client.get('/api/auth/me', {
      headers: { origin: 'https://example.com' },
    })
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('strict-transport-security')).toMatch(/^max-age=\d+/)
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('the documentation', () => {
  it('covers every route with its errors, and has a user interface', async () => {
    const document = await auth.client.document()
    const statuses = Object.fromEntries(
      Object.entries(document.paths).map(([path, operations]) => [
        path,
        Object.values(operations).flatMap(({ responses }) => Object.keys(responses)),
      ]),
    )
    expect(statuses).toEqual({
      '/.well-known/jwks.json': ['200', '503'],
      '/api/auth/register': ['201', '400', '409', '413', '415', '429', '503'],
      '/api/auth/login': ['200', '400', '401', '413', '415', '429', '503'],
      '/api/auth/validate': ['200', '400', '401', '429', '503'],
      '/api/auth/me': ['200', '400', '401', '429', '503'],
      '/api/auth/refresh': ['200', '400', '401', '413', '415', '429', '503'],
      '/api/auth/users/{id}/scopes': [
        ...['200', '400', '401', '403', '404', '409', '413', '414', '415', '429', '503'],
      ],
      '/api/auth/audit': ['200', '400', '401', '403', '429', '503'],
      '/api/auth/logout': ['204', '400', '401', '429', '503'],
      '/api/auth/sessions': ['200', '400', '401', '429', '503'],
      '/api/auth/sessions/{id}': ['204', '400', '401', '404', '414', '429', '503'],
      '/api/auth/keys': [
        ...['201', '400', '401', '403', '409', '413', '415', '429', '503'],
        ...['200', '400', '401', '429', '503'],
      ],
      '/api/auth/keys/{id}/rotate': [
        ...['201', '400', '401', '404', '409', '413', '414', '415', '429', '503'],
      ],
      '/api/auth/keys/{id}': ['204', '400', '401', '404', '414', '429', '503'],
      '/api/auth/merchants/{id}/close': ['204', '400', '401', '403', '404', '414', '429', '503'],
      '/api/auth/password': ['204', '400', '401', '413', '415', '429', '503'],
    })
    expect((await auth.client.get('/docs')).status).toBe(200)
  })
})
