import { runToEnd } from '@malipo/local/process'
import { describeSettings, withoutVaryingValues } from '@malipo/testing/session-settings'
import { expect, vi } from 'vitest'
import { type Auth, environment, login, startAuth } from './auth.js'

/** The service's answers don't depend on the settings of its role. */

const person = {
  phone: '+256772123456',
  email: 'amina@example.com',
  password: 'matooke with groundnut sauce',
}
const operator = { ...person, phone: '+256772123457', email: 'okello@example.com' }

/** Sends a request to a path under /api/auth, records the answer and returns its body. */
type Call = (
  method: string,
  path: string,
  body?: unknown,
  token?: string,
  // oxlint-disable-next-line typescript/no-explicit-any
) => Promise<any>

/** The remaining attempts, and the time until there is one more in minutes. */
function quotaOf(header: string | null) {
  const [, remaining, seconds] = /r=(\d+);t=(\d+)/.exec(header ?? '') ?? []
  return { remaining, minutes: Math.round(Number(seconds) / 60) }
}

/** The uses of the service that read or write the database. @returns what it answered */
async function life(auth: Auth) {
  const { client } = auth
  const answers: unknown[] = []
  const call: Call = async (method, path, body, token) => {
    const options = { ...(body !== undefined && { body }), ...(token !== undefined && { token }) }
    const answer = await client.send(method, `/api/auth/${path}`, options)
    const quota = path === 'login' ? quotaOf(answer.headers.get('ratelimit')) : undefined
    answers.push([method, answer.status, quota, answer.body])
    return answer.body
  }
  const { id } = await call('POST', 'register', person)
  await call('POST', 'register', person)
  const { phone, password } = person
  await call('POST', 'login', { phone, password: 'not this one' })
  const { access_token: token, refresh_token: first, device_token } = await login(client, person)
  await call('GET', 'me', undefined, token)
  await call('GET', 'validate', undefined, token)

  const { refresh_token: second } = await call('POST', 'refresh', { refresh_token: first })
  const repeated = await call('POST', 'refresh', { refresh_token: first })
  answers.push(repeated.refresh_token === second)
  await call('POST', 'login', { phone, password, device_token })
  const changed = 'posho with beans and avocado'
  await call('POST', 'password', { currentPassword: password, newPassword: changed }, token)
  await call('GET', 'sessions', undefined, token)

  // The third session evicts the oldest one.
  const again = { ...person, password: changed }
  const [other, last] = [await login(client, again), await login(client, again)]
  await call('GET', 'validate', undefined, token)
  const { data } = await call('GET', 'sessions', undefined, last.access_token)
  await call('POST', 'logout', undefined, other.access_token)
  await call('DELETE', `sessions/${data[0].id}`, undefined, last.access_token)
  await call('POST', 'refresh', { refresh_token: last.refresh_token })

  const stolen = await login(client, again)
  await call('POST', 'refresh', { refresh_token: stolen.refresh_token.slice(0, 43) })
  await call('GET', 'validate', undefined, stolen.access_token)

  answers.push(await administrate(auth, id as string, call))
  return answers
}

/** The commands, a removed scope, and the audit trail of all that. */
async function administrate(auth: Auth, userId: string, call: Call) {
  const env = environment({ DATABASE_URL: auth.databaseUrl, OPERATOR_PASSWORD: operator.password })
  const args = ['--phone', operator.phone, '--email', operator.email]
  await runToEnd({ name: 'auth', script: 'cli/operator', args, env })
  await runToEnd({ name: 'auth', script: 'cli/operator', args, env })
  const { access_token: admin } = await login(auth.client, operator)
  await call('PUT', `users/${userId}/scopes`, { scopes: ['payments:read'] }, admin)
  const retention = { ...env, AUDIT_RETENTION_DAYS: '1' }
  await runToEnd({ name: 'auth', script: 'cli/retention', env: retention })
  return auditTrail(auth, admin)
}

interface Event {
  readonly id: string
  readonly at: string
}

async function auditTrail({ client }: Auth, token: string) {
  const list = async (query: string) => {
    const { status, body } = await client.get(`/api/auth/audit?${query}`, { token })
    expect(status).toBe(200)
    return body as { data: Event[]; nextCursor: string | null }
  }
  const { data: all } = await list('limit=100')
  const pages: Event[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await list(`limit=5${cursor && `&cursor=${cursor}`}`)
    pages.push(...page.data)
    cursor = page.nextCursor
  }
  expect(pages).toEqual(all)
  const from = new Date(Date.parse(all[9]?.at ?? '') + 1).toISOString()
  const { data: later } = await list(`limit=100&from=${from}`)
  expect(later).toEqual(all.filter(({ at }) => at >= from))
  // Events of one statement have no order.
  return all.map((event) => JSON.stringify(withoutVaryingValues(event))).sort()
}

/** Waits until the revocations are published. @returns the metrics of background workers that have failed */
async function failedWorkers({ client, sql }: Auth) {
  await vi.waitUntil(async () => (await sql('SELECT FROM revocation_outbox')).length === 0, 10_000)
  const { body } = await client.get('/metrics')
  return String(body)
    .split('\n')
    .filter((line) => /^worker_runs_total\{.*outcome="failed"\} [1-9]/.test(line))
}

describeSettings({
  name: 'auth',
  answersOn: async (databaseUrl) => {
    const auth = await startAuth({ DATABASE_URL: databaseUrl, SESSIONS_PER_USER: '2' })
    try {
      return { answers: await life(auth), failed: await failedWorkers(auth) }
    } finally {
      await auth.close()
    }
  },
  failuresIn: ({ answers, failed }) => {
    const serverErrors = answers.filter((answer) => Number((answer as unknown[])[1]) >= 500)
    return [...serverErrors, ...failed]
  },
})
