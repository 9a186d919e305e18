import { randomInt, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../cluster.ts'

/** Requests through the edge. Paths are sent without normalization. */

/** Address of the cluster's edge. */
export const EDGE = new URL(process.env.EDGE_URL ?? 'http://127.0.0.1:8080')

const TIMEOUT_MS = 30_000

export interface HttpRequest {
  readonly method?: string
  /** Sent as is: not decoded, resolved or normalized. */
  readonly path: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Sensitive values sent or received in this run. They must not appear in logs or traces. */
export const observed = {
  passwords: new Set<string>(),
  tokens: new Set<string>(),
  phones: new Set<string>(),
  emails: new Set<string>(),
}

const FIELDS: Record<keyof typeof observed, RegExp> = {
  passwords: /"\w*password":"([^"]+)"/gi,
  tokens: /"(?:access|refresh)_token":"([^"]+)"/g,
  phones: /"(?:p|\w*P)hone":"([^"]+)"/g,
  emails: /"(?:e|\w*E)mail":"([^"]+)"/g,
}

function observe(text: string) {
  for (const [kind, field] of Object.entries(FIELDS) as [keyof typeof observed, RegExp][]) {
    for (const [, value = ''] of text.matchAll(field)) observed[kind].add(value)
  }
}

/** The user ids in all observed access tokens. */
export function observedUserIds(): string[] {
  const payloads = [...observed.tokens].flatMap((token) => token.split('.')[1] ?? [])
  const claims = payloads.map((text) => JSON.parse(Buffer.from(text, 'base64url').toString()))
  return [...new Set(claims.map(({ sub }: { sub: string }) => sub))]
}

/** A client of the release that is exposed as `host`. */
export function clientOf(host: string) {
  return (call: HttpRequest) => send(host, call)
}

export type Client = ReturnType<typeof clientOf>

function send(
  host: string,
  { method = 'GET', path, token, headers, body }: HttpRequest,
): Promise<HttpResponse> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  observe(text ?? '')
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
  const sent = request({
    host: EDGE.hostname,
    port: EDGE.port || 80,
    method,
    path,
    headers: {
      host,
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    agent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  sent.on('error', reject)
  sent.on('response', (response) => {
    let received = ''
    response.setEncoding('utf8').on('data', (part: string) => (received += part))
    response.on('error', reject)
    response.on('end', () => {
      observe(received)
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received })
    })
  })
  sent.end(text)
  return promise
}

/** The body of a response. @throws Error if the status differs */
export function bodyOf(response: HttpResponse, status: number): unknown {
  if (response.status !== status) throw new Error(`${response.status} ${response.text}`)
  return JSON.parse(response.text)
}

export interface Account {
  readonly phone: string
  readonly email: string
  readonly password: string
}

export function newAccount(): Account {
  const phone = `+25677${randomInt(1_000_000, 9_999_999)}`
  return { phone, email: `${randomUUID()}@example.com`, password: randomUUID() }
}

/** Registers a new user. */
export async function register(client: Client): Promise<Account> {
  const account = newAccount()
  bodyOf(await client({ method: 'POST', path: '/api/auth/register', body: account }), 201)
  return account
}

/** Logs in and returns the access token. */
export async function login(client: Client, { phone, password }: Account): Promise<string> {
  const response = await client({
    method: 'POST',
    path: '/api/auth/login',
    body: { phone, password },
  })
  return (bodyOf(response, 200) as { access_token: string }).access_token
}

/** The body of a request that creates a payment. */
export function newPayment() {
  return {
    amount: 5000,
    currency: 'UGX',
    paymentMethod: 'MOBILE_MONEY',
    customerPhone: '+256772123456',
    customerEmail: 'customer@example.com',
  }
}

/** Creates a payment and returns its reference. */
export async function createPayment(
  client: Client,
  token: string,
  headers: HttpRequest['headers'] = {},
): Promise<string> {
  const body = newPayment()
  const response = await client({ method: 'POST', path: '/api/payments', token, headers, body })
  return (bodyOf(response, 201) as { reference: string }).reference
}

/** Runs the README's walk-through against a host behind the edge, or against the addresses of both services. */
export async function walkThrough(
  target: string | { readonly auth: string; readonly payments: string },
): Promise<void> {
  const script = new URL('../../docs/walkthrough.sh', import.meta.url).pathname
  if (typeof target !== 'string') {
    await run(script, [], { env: { AUTH_URL: target.auth, PAYMENTS_URL: target.payments } })
    return
  }
  // A .curlrc makes curl connect to the edge for every hostname.
  const settings = await mkdtemp(join(tmpdir(), 'malipo-curl-'))
  const port = EDGE.port || '80'
  await writeFile(join(settings, '.curlrc'), `connect-to = "::${EDGE.hostname}:${port}"\n`)
  const env = {
    CURL_HOME: settings,
    AUTH_URL: `http://${target}`,
    PAYMENTS_URL: `http://${target}`,
  }
  await run(script, [], { env }).finally(() => rm(settings, { recursive: true }))
}
