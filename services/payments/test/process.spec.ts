import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { runToEnd, type Service, startService } from '@malipo/local/process'
import { freshDatabase, query } from '@malipo/testing/database'
import { Client as Connection } from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { newUser, type User } from './auth.js'
import { untilBlocked } from './locks.js'
import { environment, migrate } from './payments.js'
import { paymentInput } from './requests.js'
import { until } from '@malipo/testing/until'

/** The built service as a process, started and stopped as in production. */

let databaseUrl: string
let owner: User
beforeAll(async () => {
  databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  owner = await newUser()
})

const start = (own: Record<string, string>) =>
  startService({
    name: 'payments',
    env: environment({ LOG_LEVEL: 'info', DATABASE_URL: databaseUrl, ...own }),
  })

/** The status of a response, or the error if the request got no response. */
interface Result {
  readonly key: string
  readonly status?: number
  readonly error?: string
}

/** Creates a payment over a keep-alive connection. */
function create({ port }: Service, agent: Agent): Promise<Result> {
  const key = randomUUID()
  const headers = {
    authorization: `Bearer ${owner.token}`,
    'content-type': 'application/json',
    'idempotency-key': key,
  }
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException) => resolve({ key, error: error.code ?? '' })
    const path = '/api/payments'
    request({ port, path, method: 'POST', agent, headers, timeout: 20_000 }, (response) => {
      response.resume().on('error', fail)
      response.on('end', () => resolve({ key, status: response.statusCode ?? 0 }))
    })
      .on('error', fail)
      .end(JSON.stringify(paymentInput()))
  })
}

describe('SIGTERM under load', () => {
  it('loses no accepted request, returns no 5xx, and exits with 0', async () => {
    const service = await start({ SHUTDOWN_DRAIN_MS: '400' })
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    const results: Result[] = []
    const stopping = new AbortController()
    const client = async () => {
      while (!stopping.signal.aborted) results.push(await create(service, agent))
    }
    const clients = Array.from({ length: 16 }, client)
    await until(() => results.length > 100)
    const before = results.length
    const begin = Date.now()
    const stopped = service.stop()
    await until(async () => (await ready(service)) !== 200)
    const exitCode = await stopped
    stopping.abort()
    await Promise.all(clients)
    agent.destroy()
    expect(exitCode).toBe(0)
    // The clients never stop, so the drain takes its maximum: four times SHUTDOWN_DRAIN_MS.
    expect(Date.now() - begin).toBeGreaterThan(1_600)
    expect(Date.now() - begin).toBeLessThan(12_000)
    expect(service.output()).toContain('requests still arrive at the limit of the drain')
    expect(results.length).toBeGreaterThan(before)

    const answered = results.filter(({ status }) => status !== undefined)
    expect([...new Set(answered.map(({ status }) => status))]).toEqual([201])
    // A request without a response was not accepted, because the listener was closed. So the request's key is
    // not stored.
    const unanswered = results.filter(({ error }) => error !== undefined)
    for (const { error } of unanswered) expect(['ECONNREFUSED', 'ECONNRESET']).toContain(error)
    const stored = await query<{ key: string }>(databaseUrl, 'SELECT key FROM idempotency_keys')
    const keys = new Set(stored.map(({ key }) => key))
    expect(unanswered.filter(({ key }) => keys.has(key))).toEqual([])
    expect(answered.filter(({ key }) => !keys.has(key))).toEqual([])
  })

  it('reports not ready and serves until no request has come for SHUTDOWN_DRAIN_MS', async () => {
    const service = await start({ SHUTDOWN_DRAIN_MS: '1500' })
    const stopped = service.stop()
    await until(async () => (await ready(service)) === 503)
    const agent = new Agent()
    // Probes don't extend the drain, but requests do: the last request arrives after SHUTDOWN_DRAIN_MS.
    const statuses = []
    for (let i = 0; i < 3; i++) {
      await sleep(600)
      const { status } = await create(service, agent)
      statuses.push(status)
    }
    const lastAt = Date.now()
    expect(statuses).toEqual([201, 201, 201])
    await until(async () => (await ready(service)) === undefined)
    expect(Date.now() - lastAt).toBeGreaterThan(1_200)
    expect(await stopped).toBe(0)
    expect(service.output()).not.toContain('requests still arrive')
  })

  it('stops a service that still waits for its database', async () => {
    const service = await startService({
      name: 'payments',
      ready: false,
      env: environment({ DATABASE_URL: 'postgres://user:x@127.0.0.1:9/none' }),
    })
    await until(async () => (await ready(service)) === 503)
    expect(await service.stop()).toBe(0)
  })
})

async function ready({ url }: Service): Promise<number | undefined> {
  try {
    return (await fetch(`${url}/health/ready`)).status
  } catch {
    return undefined
  }
}

describe('migrate', () => {
  it('runs each migration once on three concurrent replicas', async () => {
    const url = await freshDatabase('migrated')
    const env = { DATABASE_URL: url }
    // This transaction blocks the creation of the first table until all three replicas have started.
    const holder = new Connection({ connectionString: url })
    await holder.connect()
    await holder.query('BEGIN')
    await holder.query('CREATE TABLE payments ()')
    const running = Promise.all(
      Array.from({ length: 3 }, () => runToEnd({ name: 'payments', script: 'migrate', env })),
    )
    await untilBlocked({ sql: (text, ...values) => query(url, text, values) }, 1)
    await until(async () => {
      const asking = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%advisory_xact_lock%'`
      return (await query(url, `${asking} AND pid <> pg_backend_pid()`)).length === 3
    })
    await holder.query('ROLLBACK')
    await holder.end()
    const outputs = await running
    const ran = outputs.map((output) => JSON.parse(output.split('\n').at(-1) ?? '') as object)
    const migrations = ran.flatMap((line) => (line as { migrations: string[] }).migrations)
    const all = dataSource.migrations.map(({ name }) => name)
    expect(migrations).toEqual(all)
    expect(await query(url, 'SELECT name FROM migrations')).toHaveLength(all.length)
    expect(await runToEnd({ name: 'payments', script: 'migrate', env })).toContain(
      '"migrations":[]',
    )
  })
})

describe('configuration', () => {
  const startupError = (own: Record<string, string | undefined>) =>
    startService({
      name: 'payments',
      env: environment({ DATABASE_URL: databaseUrl, ...own }),
    }).then(
      (service) => service.stop().then(() => 'it started'),
      (error: Error) => error.message,
    )

  it.each([
    ['AUTH_SERVICE_URL', undefined],
    ['AUTH_SERVICE_URL', 'auth:3002'],
    ['DATABASE_URL', 'mysql://x'],
    ['WEBHOOK_SECRETS', 'manual=tooshort'],
    ['TOKEN_CACHE_TTL_MS', '-1'],
    ['DB_WAIT_MS', 'soon'],
    ['MODE', 'test'],
    ['DATABASE_URL', 'postgres://u:tooshort%@db/x'],
    ['DATABASE_URL', 'postgres://u:1/tooshort@db/x'],
    ['DB_SSL_CA_FILE', '/nowhere'],
    ['REDIS_URL', 'redis://:tooshort%@redis'],
    ['REDIS_SENTINELS', '127.0.0.1:x'],
    ['TRUSTED_PROXIES', 'a;b'],
    ['TRUSTED_PROXIES', '1'],
    ['TRUSTED_PROXIES', '0.0.0.0/0'],
    ['CORS_ORIGINS', 'app.example'],
  ])('%s=%s ends the process with one line that names the variable', async (name, value) => {
    const message = await startupError({ [name]: value })
    expect(message).toContain('exited with code 1')
    const lines = message.split('\n').filter((line) => line.startsWith('configuration: '))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(new RegExp(`^configuration: ${name} `))
    expect(message).not.toContain('tooshort')
  })

  it('does not need Redis', async () => {
    const service = await start({ REDIS_URL: '' })
    expect(service.output()).toContain('no Redis is configured')
    expect(await service.stop()).toBe(0)
  })
})
