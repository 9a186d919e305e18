/** Runs both services, PostgreSQL and Redis on ::1, and prints what a client sees as JSON. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@malipo/local/postgres'
import { runToEnd, startService } from '@malipo/local/process'
import { startRedis } from '@malipo/local/redis'

const folder = await mkdtemp(join(tmpdir(), 'malipo-ipv6-'))
const host = '::1'
const postgres = await startPostgres({
  dataDir: join(folder, 'postgres'),
  databases: ['auth', 'payments'],
  flags: ['-c', 'fsync=off'],
  host,
})
const redis = await startRedis({ host })
if (!redis) throw new Error('neither redis-server nor valkey-server is on the PATH')

async function start(name: 'auth' | 'payments', own: Record<string, string>) {
  const common = {
    MODE: 'sandbox',
    LOG_LEVEL: 'warn',
    REDIS_URL: redis?.url,
    TRUSTED_PROXIES: '::1',
  }
  const env = { ...common, DATABASE_URL: postgres.url(name), ...own }
  await runToEnd({ name, script: 'migrate', env })
  return startService({ name, env, host: '[::1]' })
}

async function call(url: string, body?: object, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: body ? 'POST' : 'GET',
    headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const auth = await start('auth', { JWT_SECRET: 's'.repeat(32), BCRYPT_COST: '4' })
const payments = await start('payments', { AUTH_SERVICE_URL: auth.url })

const person = {
  phone: '+256772123456',
  email: 'a@example.com',
  password: 'a phrase of rare words',
}
const registered = await call(`${auth.url}/api/auth/register`, person)
const { phone, password } = person
const forwarded = { 'x-forwarded-for': '[2001:DB8::7]:51432' }
const login = await call(`${auth.url}/api/auth/login`, { phone, password }, forwarded)
const headers = { authorization: `Bearer ${String(login.body['access_token'])}` }
const sessions = await call(`${auth.url}/api/auth/sessions`, undefined, headers)
const payment = {
  amount: '5000',
  currency: 'UGX',
  paymentMethod: 'MOBILE_MONEY',
  customerPhone: phone,
  customerEmail: person.email,
}
const created = await call(`${payments.url}/api/payments`, payment, headers)
// Redis may still be connecting.
let health = await call(`${payments.url}/health`)
for (let i = 0; i < 100 && health.body['status'] !== 'ok'; i++) {
  await sleep(200)
  health = await call(`${payments.url}/health`)
}

await Promise.all([auth.stop(), payments.stop()])
await Promise.all([redis.stop(), postgres.stop()])
await rm(folder, { recursive: true })
const statuses = [registered, login, sessions, created, health].map(({ status }) => status)
console.log(JSON.stringify({ statuses, sessions: sessions.body, health: health.body }))
