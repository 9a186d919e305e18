import { randomUUID } from 'node:crypto'
import * as conventions from '@opentelemetry/semantic-conventions'
import { ATTR_URL_TEMPLATE } from '@opentelemetry/semantic-conventions/incubating'
import { Client } from '@malipo/testing/client'
import { query } from '@malipo/testing/database'
import { leaks } from '@malipo/testing/leaks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { JWT_SECRET, newUser, type User } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { SECRETS } from './payments.js'
import { as, fromProvider, webhookBody, paymentInput } from './requests.js'
import { linesOf, startTraced, type Traced } from './traced.js'
import { until } from '@malipo/testing/until'

/**
 * Neither logs nor traces of the services contain a password, token, phone or email, whether requests succeed
 * or fail. Traces contain no reference, idempotency key or user id either.
 */

const HEADER = 'Basic c2VjcmV0LW9mLXRoZS1jb2xsZWN0b3I'
const CUSTOMER = { customerPhone: '+256701987654', customerEmail: 'customer.of.leaks@example.org' }
const digits = () => Array.from({ length: 7 }, () => Math.floor(Math.random() * 10)).join('')

let stage: Traced
let user: User
/** The sensitive values that the tests sent or received, by kind. */
const seen = {
  password: [] as string[],
  token: [] as string[],
  phone: [CUSTOMER.customerPhone],
  email: [CUSTOMER.customerEmail],
  name: [] as string[],
  path: [] as string[],
  secret: [JWT_SECRET, HEADER, ...Object.values(SECRETS)] as string[],
}
const inTraces = { reference: [] as string[], key: [] as string[], user: [] as string[] }

beforeAll(async () => {
  stage = await startTraced({
    LOG_LEVEL: 'debug',
    OTEL_TRACES_SAMPLER_ARG: '1',
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${encodeURIComponent(HEADER)}`,
  })
  user = await newUser(stage.auth.url)
  seen.secret.push(new URL(stage.databaseUrl).password)
  await Promise.all([atAuth(), atPayments(), atEndpoints()])
  await broken()
  await settled()
})
afterAll(() => stage.close())

const sent = (client: Client, method: string, path: string, options: object = {}) =>
  client.sendUnchecked(method, path, options)

/** Sends valid and invalid requests to auth. */
async function atAuth() {
  const auth = new Client(stage.auth.url)
  const post = (path: string, body: unknown, token?: string) =>
    sent(auth, 'POST', `/api/auth/${path}`, { body, ...(token ? { token } : {}) })
  const { phone, email, password, token } = user
  const [wrong, changed] = ['a wrong one, tried', 'changed words, unguessed'].map(
    (words) => `${words} ${digits()}`,
  ) as [string, string]
  seen.password.push(password, wrong, changed)
  seen.phone.push(phone)
  seen.email.push(email)
  inTraces.user.push(user.id)
  await post('register', { phone, email, password })
  await post('register', { phone: `${phone}0000`, email: `<${email}>`, password, [email]: phone })
  await post('login', { phone, password: wrong })
  await post('login', { phone: email, password })
  await sent(auth, 'POST', '/api/auth/login', { body: `{"phone":"${phone}","password":"${wrong}"` })
  const { body } = await post('login', { phone, password })
  const next = await post('refresh', { refresh_token: body.refresh_token })
  await post('refresh', { refresh_token: `${next.body.refresh_token}x` })
  const known = { phone, device_token: body.device_token }
  await post('login', { ...known, password })
  await post('login', { ...known, password: wrong })
  seen.token.push(token, body.access_token, body.refresh_token, body.device_token)
  seen.token.push(next.body.access_token, next.body.refresh_token)
  await sent(auth, 'GET', '/api/auth/me', { token })
  await sent(auth, 'GET', '/api/auth/sessions', { token })
  await sent(auth, 'GET', '/api/auth/validate', { token: `${token}x` })
  await sent(auth, 'GET', `/api/auth/${encodeURIComponent(phone)}?phone=${phone}&token=${token}`)
  const headers = { 'x-request-id': `order-${phone.slice(1)}` }
  await sent(auth, 'GET', `/api/auth/sessions/%zz${phone}`, { headers })
  await sent(auth, 'GET', `/docs/../${phone}`, { headers })
  await sent(auth, 'GET', `/api/auth/sessions/${phone.repeat(20)}`, { headers })
  await sent(auth, 'POST', '/api/auth/login', { headers, body: namesOf(phone, email, token) })
  await post('password', { currentPassword: wrong, newPassword: changed }, token)
  await post('password', { currentPassword: password, newPassword: changed }, token)
  await post('logout', undefined, token)
}

/** A body whose unknown fields have sensitive names. */
function namesOf(phone: string, email: string, token: string) {
  seen.name.push('aminanakatoofkampala')
  const names = [phone, `p${phone.slice(1)}`, email, token, ...seen.name]
  return Object.fromEntries(names.map((name) => [name, 1]))
}

/** Sends valid and invalid requests to payments. */
async function atPayments() {
  const payer = await newUser(stage.auth.url)
  const { token, phone, email } = payer
  seen.token.push(token)
  seen.phone.push(phone)
  seen.email.push(email)
  inTraces.user.push(payer.id)
  const mine = as(payer, stage)
  const key = `order-of-${email}`
  inTraces.key.push(key)
  const headers = {
    'idempotency-key': key,
    // Clients choose their request ids, so an id may contain a phone number.
    'x-request-id': phone.slice(1),
    tracestate: `vendor=${phone.slice(1)}`,
    baggage: `email=${email}`,
    'user-agent': `app of ${email}`,
    'x-forwarded-for': '198.51.100.77',
  }
  const { body } = await mine.create(CUSTOMER, headers)
  await mine.create(CUSTOMER, headers)
  await mine.create({ amount: 7000, ...CUSTOMER }, headers)
  const reference = body.reference as string
  inTraces.reference.push(reference, body.id as string)
  const { client } = stage
  await mine.list(`?customerPhone=${encodeURIComponent(CUSTOMER.customerPhone)}`)
  await mine.list(`?customerPhone=${CUSTOMER.customerEmail}&${email}=${phone}`)
  await mine.get(reference)
  await mine.events(reference)
  await mine.move(reference, 'PENDING', {}, { reason: `asked by ${phone}` })
  await mine.move(reference, 'INITIATED')
  const webhook = webhookBody(reference, 'SUCCESS')
  await fromProvider(stage, webhook)
  await fromProvider(stage, { ...webhook, status: 'FAILED' })
  await mine.webhook(webhook)
  await sent(client, 'GET', `/api/payments/${phone}`, { token })
  // The router rejects these, so that no hook of a route runs.
  await sent(client, 'GET', `/api/payments/%zz${phone}`, { headers, token })
  await sent(client, 'GET', `/api/payments/${phone.repeat(20)}`, { headers, token })
  await sent(client, 'POST', '/api/payments', {
    token,
    headers: { 'x-request-id': `order-${phone.slice(1)}` },
    body: namesOf(phone, email, token),
  })
  await sent(client, 'GET', `/${email}/${token}?password=${user.password}`, { token })
  await sent(client, 'POST', '/api/payments', {
    token,
    body: paymentInput({ [email]: phone, ...CUSTOMER }),
  })
  await sent(client, 'POST', '/api/payments', { token, body: `{"customerPhone":"${phone}"` })
  await sent(client, 'GET', '/api/payments', { token: `${token.slice(0, -4)}abcd` })
  await sent(client, 'GET', '/api/payments', { headers: { authorization: `Basic ${phone}` } })
}

/** Creates, changes and rotates webhook endpoints. The path of a URL may be a secret of its receiver. */
async function atEndpoints() {
  const merchant = await newUser(stage.auth.url)
  seen.token.push(merchant.token)
  seen.phone.push(merchant.phone)
  inTraces.user.push(merchant.id)
  const mine = endpointsOf(merchant, stage)
  const path = `T0${digits()}/B0${digits()}`
  seen.path.push(path)
  const url = `https://merchant.example/${path}`
  const { id, secret } = await newEndpoint(mine, { url })
  const { id: asymmetric } = await newEndpoint(mine, { url, scheme: 'v1a' })
  seen.secret.push(secret, (secret as string).slice('whsec_'.length))
  for (const target of [id, asymmetric]) {
    const { body } = await mine.rotate(target)
    if (body.secret) seen.secret.push(body.secret)
  }
  await mine.change(id, { url: `${url}/other`, events: [url] })
  await mine.change(id, { url: `ftp://${path}` })
  await mine.create({ url: `${url}#${path}` })
  await mine.create({ secret })
  await mine.change(id, { url: `${url}/other`, description: path })
  await mine.list()
  await mine.get(id)
  await mine.remove(id)
  await sent(stage.client, 'POST', '/api/webhook-endpoints', {
    token: merchant.token,
    body: `{"url":"${url}","secret":"${secret}"`,
  })
}

/** Causes a database error whose message contains the input, then terminates the connections. */
async function broken() {
  const sql = (text: string) => query(stage.databaseUrl, text)
  await sql(`CREATE FUNCTION leak_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION '% of % can’t pay, token ${user.token}', NEW.customer_phone, NEW.customer_email
    USING ERRCODE = 'check_violation', DETAIL = NEW.customer_phone; END $$`)
  await sql(`CREATE TRIGGER leak_row BEFORE INSERT ON payments
    FOR EACH ROW WHEN (NEW.description = 'broken') EXECUTE FUNCTION leak_row()`)
  const payer = await newUser(stage.auth.url)
  const body = paymentInput({ description: 'broken', ...CUSTOMER })
  const { status } = await sent(stage.client, 'POST', '/api/payments', { token: payer.token, body })
  expect(status).toBe(500)
  await sql('DROP TRIGGER leak_row ON payments')
  await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`)
  expect((await as(payer, stage).create(CUSTOMER)).status).toBe(201)
}

/**
 * Waits until a final request to each service is in its logs and traces. By then, the earlier requests are
 * there too.
 */
async function settled() {
  for (const service of [stage.auth, stage.payments]) {
    const requestId = randomUUID()
    await fetch(`${service.url}/api/nothing`, { headers: { 'x-request-id': requestId } })
    await until(() => linesOf(service, { requestId }).length > 0)
    const [line] = linesOf(service, { requestId })
    await until(() => stage.collector.spans.some(({ traceId }) => traceId === line?.traceId))
  }
}

describe('logs, traces and metrics', () => {
  it.each(['auth', 'payments'] as const)('the log of %s contains no sensitive value', (name) => {
    const log = stage[name].output()
    expect(linesOf(stage[name], { msg: 'request' }).length).toBeGreaterThan(15)
    expect(leaks(log, seen)).toEqual([])
  })

  it('logs a failure with its values masked', () => {
    const [line] = linesOf(stage.payments, { status: 500 })
    expect(line).toMatchObject({
      level: 'error',
      route: '/api/payments',
      err: { message: '[phone …54] of [email] can’t pay, token [token]' },
    })
  })

  it('logs every line as JSON with a level, a time and the service', () => {
    for (const name of ['auth', 'payments'] as const) {
      for (const line of stage[name].output().split('\n')) {
        expect(JSON.parse(line)).toMatchObject({
          level: expect.any(String),
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/),
          service: name,
        })
      }
    }
  })

  it('records no sensitive value, payment reference or user id in traces', () => {
    expect(stage.collector.spans.length).toBeGreaterThan(60)
    const bytes = stage.collector.bytes().toString('latin1')
    expect(leaks(bytes, { ...seen, ...inTraces, address: ['198.51.100.77'] })).toEqual([])
    expect(stage.collector.spans.filter(({ traceState }) => traceState !== '')).toEqual([])
  })

  it('gives spans only attributes of the conventions and of malipo.*', () => {
    const stable = Object.entries(conventions).filter(([name]) => name.startsWith('ATTR_'))
    const known = new Set<unknown>([ATTR_URL_TEMPLATE, ...stable.map(([, value]) => value)])
    const names = new Set(stage.collector.spans.flatMap((span) => Object.keys(span.attributes)))
    const own = [...names].filter((name) => !known.has(name))
    expect(own).toContain('malipo.problem')
    expect(own.filter((name) => !name.startsWith('malipo.'))).toEqual([])
  })

  it('has no sensitive value in metrics', async () => {
    for (const { url } of [stage.auth, stage.payments]) {
      const headers = { accept: 'application/openmetrics-text' }
      const text = await (await fetch(`${url}/metrics`, { headers })).text()
      expect(leaks(text, { ...seen, ...inTraces })).toEqual([])
    }
  })
})

describe('the search for leaks', () => {
  const phone = '+256772123456'
  it.each([
    phone,
    '256772123456',
    '0772123456',
    encodeURIComponent(phone),
    `{"phone":"${phone}"}`,
    Buffer.from(phone).toString('base64'),
  ])('finds a phone as %s, and masks it in its result', (text) => {
    const found = leaks(`before ${text} after`, { phone: [phone] })
    expect(found[0]).toMatch(/^phone: before .*█.* after$/)
    expect(found.join()).not.toContain('772123456')
  })

  it('finds a password in nested JSON', () => {
    const password = 'a "quoted" one'
    const text = JSON.stringify({ line: JSON.stringify({ password }) })
    expect(leaks(text, { password: [password] })).not.toEqual([])
  })

  it('accepts masked values, and rejects a value too short to search for', () => {
    expect(leaks('[phone …56] of [email]', { phone: [phone] })).toEqual([])
    expect(() => leaks('', { phone: ['12'] })).toThrow(/too short/)
  })
})
