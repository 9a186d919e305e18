import { createHmac, randomUUID } from 'node:crypto'
import { runToEnd } from '@malipo/local/process'
import { query } from '@malipo/testing/database'
import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { authEnvironment, grant, JWT_SECRET, login, newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, newPayment, webhookBody, paymentInput } from './requests.js'

let payments: Payments
let owner: User
beforeAll(async () => {
  payments = await startPayments()
  owner = await newUser()
})
afterAll(() => payments.close())

type Send = (headers: Record<string, string>) => ReturnType<Payments['client']['send']>

const REFERENCE = `PAY-${v7()}`
const route = (method: string, path: string, body?: unknown): Send => {
  return (headers) => payments.client.send(method, path, { headers, body })
}
const ROUTES: [string, Send][] = [
  ['POST /api/payments', route('POST', '/api/payments', paymentInput())],
  ['GET /api/payments', route('GET', '/api/payments')],
  ['GET /api/payments/{reference}', route('GET', `/api/payments/${REFERENCE}`)],
  ['GET /api/payments/{reference}/events', route('GET', `/api/payments/${REFERENCE}/events`)],
  [
    'POST /api/payments/{reference}/status',
    route('POST', `/api/payments/${REFERENCE}/status`, { status: 'PENDING' }),
  ],
  [
    'POST /api/payments/webhook/provider',
    route('POST', '/api/payments/webhook/provider', webhookBody(REFERENCE, 'PENDING')),
  ],
]

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >

/** A token with the owner's claims, overridden by `changes`, and signed with `secret`. */
function forged(changes: object, secret: string, alg = 'HS256') {
  const text = `${encoded({ alg, typ: 'JWT' })}.${encoded({ ...claimsOf(owner.token), ...changes })}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

describe.each(ROUTES)('%s', (_, send) => {
  it.each<[string, () => Record<string, string>]>([
    ['no token', () => ({})],
    ['a token that is not a JWT', () => ({ authorization: 'Bearer garbage' })],
    ['a JWT that is not JSON', () => ({ authorization: 'Bearer a.b.c' })],
    ['another scheme', () => ({ authorization: `Basic ${owner.token}` })],
    ['a token without its scheme', () => ({ authorization: owner.token })],
    [
      'algorithm none',
      () => ({ authorization: `Bearer ${encoded({ alg: 'none' })}.${owner.token.split('.')[1]}.` }),
    ],
    [
      'algorithm none with a signature',
      () => ({ authorization: `Bearer ${forged({}, JWT_SECRET, 'none')}` }),
    ],
    ['a guessed secret', () => ({ authorization: `Bearer ${forged({}, 'secret')}` })],
    [
      'more scopes than it was signed with',
      () => {
        const [head, , signature] = owner.token.split('.')
        const more = encoded({ ...claimsOf(owner.token), scope: 'payments:admin' })
        return { authorization: `Bearer ${head}.${more}.${signature}` }
      },
    ],
    [
      'an expired token',
      () => ({ authorization: `Bearer ${forged({ exp: 1_700_000_000 }, JWT_SECRET)}` }),
    ],
    [
      'a token of an unknown session',
      () => ({ authorization: `Bearer ${forged({ sid: randomUUID() }, JWT_SECRET)}` }),
    ],
  ])('answers 401 to %s', async (__, headers) => {
    const answer = await send(headers())
    expect(answer.status).toBe(401)
    expect(answer.body.type).toBe('/problems/unauthenticated')
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  })

  it('answers 503 with Retry-After, never 401, while auth is unavailable', async () => {
    const replica = await payments.replica({ AUTH_SERVICE_URL: 'http://127.0.0.1:9' })
    const token = forged({ jti: randomUUID() }, JWT_SECRET)
    const url = new URL(replica.client.url)
    const answer = await fetch(new URL('/api/payments', url), {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    await replica.close()
  })
})

describe('a token without the scope of a route', () => {
  const ALL = 'payments:read payments:write payments:settle'

  /** A user with exactly these scopes. */
  async function withScopes(...scopes: string[]): Promise<User> {
    const user = await newUser()
    const url = inject('authDatabaseUrl')
    await query(url, 'UPDATE users SET scopes = $2 WHERE id = $1', [user.id, scopes])
    return { ...user, token: await login(user) }
  }

  it.each([
    ['payments:read', [403, 200, 404, 404, 403, 403]],
    ['payments:write', [201, 403, 403, 403, 403, 403]],
    ['payments:settle', [403, 403, 403, 403, 404, 404]],
    ['payments:admin', [403, 200, 404, 404, 400, 403]],
    ['auth:admin', [403, 403, 403, 403, 403, 403]],
    [ALL, [201, 200, 404, 404, 404, 404]],
  ])('with %s gets %j', async (scopes, expected) => {
    const { token } = await withScopes(...scopes.split(' '))
    const answers = []
    for (const [, send] of ROUTES) answers.push(await send({ authorization: `Bearer ${token}` }))
    expect(answers.map(({ status }) => status)).toEqual(expected)
    for (const { status, body, headers } of answers.filter((one) => one.status === 403)) {
      expect(body).toMatchObject({ type: '/problems/insufficient-scope', status })
      expect(headers.get('www-authenticate')).toMatch(/^Bearer error="insufficient_scope"/)
    }
  })
})

describe('the order of errors', () => {
  it('is 401 before 400, and 400 before 404', async () => {
    const { client } = payments
    const path = `/api/payments/${REFERENCE}/status`
    const { token } = owner
    expect((await client.post(path, { status: 'DONE' })).status).toBe(401)
    expect((await client.post(path, { status: 'DONE' }, { token })).status).toBe(400)
    expect((await client.post(path, { status: 'PENDING' }, { token })).status).toBe(404)
  })

  it('is 401 before 400 for a body that is not JSON', async () => {
    const { status } = await payments.client.post('/api/payments', '{"amount":')
    expect(status).toBe(401)
  })

  it('is 403 before 400', async () => {
    const live = await newUser(inject('liveAuthUrl'))
    const replica = await payments.replica({ AUTH_SERVICE_URL: inject('liveAuthUrl') })
    const answer = await as(live, replica).move('PAY-1', 'DONE', { 'if-match': 'x' })
    expect(answer.status).toBe(403)
    await replica.close()
  })
})

describe('an operator', () => {
  it('created by auth’s command can read other users’ payments', async () => {
    const reference = await newPayment(as(owner, payments))
    const operator = await grant(await newUser(), 'payments:admin', 'sandbox')
    expect((await as(operator, payments).get(reference)).status).toBe(200)
  })

  it('cannot have payments:settle in live mode', async () => {
    const user = await newUser(inject('liveAuthUrl'))
    const env = authEnvironment({ MODE: 'live', DATABASE_URL: inject('liveAuthDatabaseUrl') })
    const args = ['--phone', user.phone, '--grant', 'payments:settle']
    await expect(runToEnd({ name: 'auth', script: 'cli/operator', args, env })).rejects.toThrow(
      /"payments:settle" cannot be granted in live/,
    )
  })
})
