import { randomInt, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../cluster.ts'

/** Requests as a client outside sends them, with paths exactly as they are written here. */

/** Where the cluster's edge listens. */
export const EDGE = new URL(process.env.EDGE_URL ?? 'http://127.0.0.1:8080')

const TIMEOUT_MS = 30_000

export interface Call {
  readonly method?: string
  /** Sent as it is: nothing is decoded, resolved or joined. */
  readonly path: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** What went over the wire in this run. No log may tell it, and no trace either, nor whose it was. */
export const seen = {
  passwords: new Set<string>(),
  tokens: new Set<string>(),
  phones: new Set<string>(),
  emails: new Set<string>(),
}

const FIELDS: Record<keyof typeof seen, RegExp> = {
  passwords: /"\w*password":"([^"]+)"/gi,
  tokens: /"(?:access|refresh)_token":"([^"]+)"/g,
  phones: /"(?:p|\w*P)hone":"([^"]+)"/g,
  emails: /"(?:e|\w*E)mail":"([^"]+)"/g,
}

function remember(text: string) {
  for (const [what, field] of Object.entries(FIELDS) as [keyof typeof seen, RegExp][]) {
    for (const [, value = ''] of text.matchAll(field)) seen[what].add(value)
  }
}

/** The ids of those who had an access token, which says whose it is; a refresh token says nothing. */
export function usersSeen(): string[] {
  const payloads = [...seen.tokens].flatMap((token) => token.split('.')[1] ?? [])
  const claims = payloads.map((text) => JSON.parse(Buffer.from(text, 'base64url').toString()))
  return [...new Set(claims.map(({ sub }: { sub: string }) => sub))]
}

/** A client of the release that is published under `host`. */
export function clientOf(host: string) {
  return (call: Call) => send(host, call)
}

export type Client = ReturnType<typeof clientOf>

function send(host: string, { method = 'GET', path, token, headers, body }: Call): Promise<Answer> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  remember(text ?? '')
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
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
      remember(received)
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received })
    })
  })
  sent.end(text)
  return promise
}

/** The body of an answer that has this status. */
export function bodyOf(answer: Answer, status: number): unknown {
  if (answer.status !== status) throw new Error(`${answer.status} ${answer.text}`)
  return JSON.parse(answer.text)
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

/** Registers a new user; logging in is `tokenOf`. */
export async function register(client: Client): Promise<Account> {
  const account = newAccount()
  bodyOf(await client({ method: 'POST', path: '/api/auth/register', body: account }), 201)
  return account
}

export async function tokenOf(client: Client, { phone, password }: Account): Promise<string> {
  const answer = await client({
    method: 'POST',
    path: '/api/auth/login',
    body: { phone, password },
  })
  return (bodyOf(answer, 200) as { access_token: string }).access_token
}

/** Makes a payment and gives its reference. */
export async function pay(
  client: Client,
  token: string,
  headers: Call['headers'] = {},
): Promise<string> {
  const body = {
    amount: 5000,
    currency: 'UGX',
    paymentMethod: 'MOBILE_MONEY',
    customerPhone: '+256772123456',
    customerEmail: 'customer@example.com',
  }
  const answer = await client({ method: 'POST', path: '/api/payments', token, headers, body })
  return (bodyOf(answer, 201) as { reference: string }).reference
}

/** The README's walk-through, through the edge under `host`, or at the addresses of both services. */
export async function walkThrough(
  where: string | { readonly auth: string; readonly payments: string },
): Promise<void> {
  const script = new URL('../../docs/walkthrough.sh', import.meta.url).pathname
  if (typeof where !== 'string') {
    await run(script, [], { env: { AUTH_URL: where.auth, PAYMENTS_URL: where.payments } })
    return
  }
  // curl is told by its own settings that every name is found at the edge.
  const settings = await mkdtemp(join(tmpdir(), 'malipo-curl-'))
  const port = EDGE.port || '80'
  await writeFile(join(settings, '.curlrc'), `connect-to = "::${EDGE.hostname}:${port}"\n`)
  const env = { CURL_HOME: settings, AUTH_URL: `http://${where}`, PAYMENTS_URL: `http://${where}` }
  await run(script, [], { env }).finally(() => rm(settings, { recursive: true }))
}
