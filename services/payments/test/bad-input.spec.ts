import { createHmac, randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { text as read } from 'node:stream/consumers'
import { type Service, startService } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { freshDatabase, query } from '@malipo/testing/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { environment, migrate, SECRETS } from './payments.js'
import { as, newPayment, webhookBody, signed, paymentInput } from './requests.js'
import { until } from '@malipo/testing/until'

/** Malformed and hostile requests to the service, which runs in its own process. */

let databaseUrl: string
let service: Service
let client: Client
let owner: User
let reference: string

beforeAll(async () => {
  databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  const env = environment({ DATABASE_URL: databaseUrl, LOG_LEVEL: 'debug' })
  service = await startService({ name: 'payments', env })
  client = new Client(service.url)
  owner = await newUser()
  reference = await newPayment(as(owner, { client }))
})
afterAll(() => service.stop())

const TABLES = ['payments', 'payment_events', 'provider_messages', 'idempotency_keys']
const contents = () =>
  Promise.all(TABLES.map((table) => query(databaseUrl, `SELECT * FROM ${table} ORDER BY 1, 2`)))

const logged = (id: string) =>
  service
    .output()
    .split('\n')
    .filter((line) => line.includes(`"${id}"`))
    .map((line) => JSON.parse(line) as { status: number; level: string })

const PATH = '/api/payments'
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const forged = (head: object, secret: string) => {
  const text = `${encoded(head)}.${owner.token.split('.')[1]}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

interface Bad {
  readonly status: number
  readonly path?: string
  readonly body?: unknown
  readonly token?: string
  readonly headers?: Record<string, string>
}

const create = (changes: object, status = 400): Bad => ({
  status,
  body: paymentInput({ ...changes }),
})
const raw = (body: unknown, status = 400): Bad => ({ status, body })
const spliced = (json: string) => JSON.stringify(paymentInput()).replace('{', `{${json},`)

const CASES: Record<string, () => Bad> = {
  'broken JSON': () => raw('{"amount": 5000,'),
  'JSON with trailing data': () => raw(`${JSON.stringify(paymentInput())}x`),
  'an empty body': () => raw(''),
  'bytes that are not UTF-8': () => raw(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
  'UTF-16': () => raw(Buffer.from(JSON.stringify(paymentInput()), 'utf16le')),
  'wrong types': () => create({ amount: {}, currency: 1, customerPhone: [], metadata: 'x' }),
  'an unknown field': () => create({ isAdmin: true }),
  __proto__: () => raw(spliced('"__proto__":{"isAdmin":true}')),
  constructor: () => raw(spliced('"constructor":{"prototype":{"isAdmin":true}}')),
  'metadata named constructor': () => create({ metadata: { constructor: 'x' } }),
  'metadata named prototype': () => raw(spliced('"metadata":{"\\u0070rototype":"x"}')),
  'a body of 3 MB': () => raw(`"${'x'.repeat(3_000_000)}"`, 413),
  'a NUL character': () => create({ description: 'a\u0000b' }),
  'a NUL character in a key': () => create({ metadata: { 'a\u0000b': 'c' } }),
  'a lone surrogate': () => raw(spliced('"description":"\\ud800"')),
  '10^30': () => create({ amount: 1e30 }),
  'a number out of range': () => raw(JSON.stringify(paymentInput()).replace('5000', '1e999')),
  'half a shilling': () => create({ amount: 0.5 }),
  'a number that rounds to a valid amount': () =>
    raw(JSON.stringify(paymentInput()).replace('5000', '5000.00000000000000001')),
  'SQL for a currency': () => create({ currency: `UGX'; DROP TABLE payments; --` }),
  'a list nested 45 000 deep': () => raw(spliced(`"metadata":${nested(45_000)}`)),
  'objects nested 16 000 deep': () =>
    raw(spliced(`"metadata":${'{"a":'.repeat(16_000)}1${'}'.repeat(16_000)}`)),
  'a webhook nested 45 000 deep': () => ({
    status: 400,
    path: `${PATH}/webhook/provider`,
    body: JSON.stringify(webhookBody(reference, 'PENDING')).replace('{', `{"x":${nested(45_000)},`),
  }),
  'a webhook with a NUL character in a field of the service': () => ({
    status: 400,
    path: `${PATH}/webhook/provider`,
    body: webhookBody(reference, 'PENDING', { providerTransactionId: 'MP\u0000' }),
  }),
  'a webhook with a lone surrogate in a field of the service': () => ({
    status: 400,
    path: `${PATH}/webhook/provider`,
    body: webhookBody(reference, 'PENDING', { webhookId: 'evt\ud800' }),
  }),
  'a token with algorithm none': () => ({
    status: 401,
    body: paymentInput(),
    token: `${encoded({ alg: 'none' })}.${owner.token.split('.')[1]}.`,
  }),
  'a token signed with a guessed secret': () => ({
    status: 401,
    body: paymentInput(),
    token: forged({ alg: 'HS256', typ: 'JWT' }, 'secret'),
  }),
  'a token of 12 kB': () => ({ status: 401, body: paymentInput(), token: 'x'.repeat(12_000) }),
  'a form': () => ({
    status: 415,
    body: 'amount=5000',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  }),
  'an unknown field with a phone as its name': () => create({ [owner.phone]: 1 }),
  'a phone as email': () => create({ customerEmail: owner.phone }),
  'a signature with another secret': () => ({
    status: 401,
    path: `${PATH}/webhook/provider`,
    ...sentBy(`whsec_${Buffer.alloc(32, 'x').toString('base64')}`),
  }),
  'an undecodable path': () => ({
    status: 400,
    path: `${PATH}/%e0%a4%a/status`,
    body: {},
  }),
  'too long a path segment': () => ({
    status: 414,
    path: `${PATH}/${'x'.repeat(500)}/status`,
    body: {},
  }),
  'a malformed idempotency key': () => ({
    ...create({}),
    headers: { 'idempotency-key': 'x'.repeat(256) },
  }),
}

function sentBy(secret: string) {
  const { text, headers } = signed(webhookBody(reference, 'PENDING'), { secret })
  return { body: text, headers }
}

describe('bad input returns a 4xx problem, is logged once and changes nothing:', () => {
  it.each(Object.entries(CASES))('%s', async (_, bad) => {
    const before = await contents()
    const { status, path = PATH, body, token = owner.token, headers } = bad()
    const id = randomUUID()
    const answer = await client.sendUnchecked('POST', path, {
      body,
      token,
      headers: { 'x-request-id': id, ...headers },
    })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.body).toMatchObject({ status, requestId: id, instance: path })
    await until(() => logged(id).length > 0)
    expect(logged(id)).toMatchObject([{ status, level: 'info' }])
    expect(await contents()).toEqual(before)
  })

  it('a request that is not HTTP', async () => {
    const before = await contents()
    expect(await overSocket('NONSENSE\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 400 [^]*application\/problem\+json/,
    )
    const huge = `GET ${PATH} HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`
    expect(await overSocket(huge)).toMatch(/^HTTP\/1\.1 431 /)
    expect(await contents()).toEqual(before)
  })

  it.concurrent('a body that stalls, within 20 seconds', async ({ expect: check }) => {
    const answer = await overSocket(head(JSON.stringify(paymentInput()).length) + '{"amount":')
    check(answer).toMatch(/^HTTP\/1\.1 408 [^]*application\/problem\+json/)
  })

  it.concurrent('a header that stalls', async ({ expect: check }) => {
    const answer = await overSocket(`GET ${PATH} HTTP/1.1\r\nhost: x\r\nx-slow: `)
    check(answer).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('a connection that is reset within a body', async () => {
    const before = await contents()
    for (let n = 0; n < 5; n++) {
      const socket = connect(service.port, '127.0.0.1')
      socket.write(`${head(500)}{"amount":`, () => socket.destroy())
      await new Promise((resolve) => socket.once('close', resolve))
    }
    expect((await client.get('/health/live')).status).toBe(200)
    expect(await contents()).toEqual(before)
  })
})

const head = (length: number) =>
  `POST ${PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${owner.token}\r\n` +
  `content-type: application/json\r\ncontent-length: ${length}\r\n\r\n`

/** Sends bytes, then reads until the server closes the connection. */
async function overSocket(bytes: string): Promise<string> {
  const socket = connect(service.port, '127.0.0.1')
  socket.write(bytes)
  return read(socket)
}

describe('the log', () => {
  it('has no phone, email, token or secret', async () => {
    const user = as(owner, { client })
    const { phone, email, token, password } = owner
    const made = await user.create({ customerPhone: phone, customerEmail: email })
    await user.list(`?customerPhone=${encodeURIComponent(phone)}`)
    await user.move(made.body.reference as string, 'PENDING')
    await user.webhook(webhookBody(made.body.reference as string, 'SUCCESS'))
    await until(() => service.output().includes('/webhook/provider'))
    const output = service.output()
    const secrets = [phone.slice(1), phone.slice(4), email, token, token.split('.')[2], password]
    const ours = Object.values(SECRETS).flatMap((secret) => [secret, secret.slice(6)])
    for (const secret of [...secrets, ...ours, '772123456', 'amina@example.com', 'DROP TABLE']) {
      expect(output.includes(secret ?? ''), `${secret?.slice(0, 6)}… is logged`).toBe(false)
    }
  })

  it('has one JSON object per line', () => {
    for (const line of service.output().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), service: 'payments' })
    }
  })
})
