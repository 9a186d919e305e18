import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@malipo/local/postgres'
import { runToEnd, type Service, startService } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { freshDatabase } from '@malipo/testing/database'
import { describe, expect, it, vi } from 'vitest'
import { environment, login, newPerson, newUser, type Person, untilReady } from './auth.js'

/** Starts the built service in a separate process. */
async function started(own: Record<string, string> = {}) {
  const env = environment({ DATABASE_URL: await freshDatabase('auth'), ...own })
  await runToEnd({ name: 'auth', script: 'migrate', env })
  const service = await startService({ name: 'auth', env })
  return { service, client: new Client(service.url) }
}

describe('the log', () => {
  it('has each failed request once, and no password, token, phone or email', async () => {
    const { service, client } = await started({ LOG_LEVEL: 'debug' })
    const user = await newUser(client)
    const { access_token: token, refresh_token: refresh } = await login(client, user)
    const { phone, email, password } = user
    const failures = [
      await client.post('/api/auth/register', user),
      await client.post('/api/auth/register', { ...newPerson(), email }),
      await client.post('/api/auth/register', { phone, email, password, [password]: phone }),
      await client.post('/api/auth/register', JSON.stringify(user).slice(0, -2)),
      await client.post('/api/auth/register', { ...user, email: `${email}\0` }),
      await client.post('/api/auth/register', { ...user, filler: 'x'.repeat(3_000_000) }),
      await client.post('/api/auth/login', { phone, password: `${password}!` }),
      await client.post('/api/auth/login', { phone: newPerson().phone, password }),
      await client.post('/api/auth/login', { phone, password: password.repeat(4) }),
      await client.get(`/api/auth/me?phone=${phone}&access_token=${token}`),
      await client.get('/api/auth/me', { token: `${token}x` }),
      await client.get(`/api/auth/${phone}/${email}`),
    ]
    await client.get('/api/auth/validate', { token })
    await client.get('/api/auth/me', { token })
    expect(await service.stop()).toBe(0)
    const output = service.output()
    for (const { status, headers, body } of failures) {
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
      const id = headers.get('x-request-id') ?? ''
      const lines = output.split('\n').filter((line) => line.includes(id))
      expect(lines).toHaveLength(1)
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({
        status,
        problem: (body.type as string).replace('/problems/', ''),
      })
    }
    const secrets = [password, token, token.split('.')[2], refresh, phone, phone.slice(4), email]
    for (const secret of secrets) expect(output).not.toContain(secret)
    expect(output).not.toContain('$2b$')
  })
})

describe('the start', () => {
  it('waits for the database, as do requests', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'malipo-auth-start-'))
    const dataDir = join(folder, 'postgres')
    const postgres = await startPostgres({ dataDir, databases: ['auth'] })
    await postgres.stop()
    // The early request waits while PostgreSQL starts and the migrations run, also on a slow machine.
    const waits = { DB_WAIT_MS: '60000', REFRESH_GRACE_MS: '70000' }
    const env = environment({ DATABASE_URL: postgres.url('auth'), ...waits })
    const service = await startService({ name: 'auth', env, ready: false })
    const client = new Client(service.url)
    try {
      await expect
        .poll(() => client.get('/health/live').catch(() => undefined), { timeout: 30_000 })
        .toMatchObject({ status: 200 })
      const ready = await client.get('/health/ready')
      expect(ready.status).toBe(503)
      expect(ready.body.detail).toMatch(/^Waiting for the database\b/)
      const early = client.post('/api/auth/register', newPerson())
      await postgres.restart()
      const detail = async () => (await client.get('/health/ready')).body.detail as string
      await expect
        .poll(detail, { timeout: 30_000 })
        .toBe('Waiting for the migrations of this release.')
      await runToEnd({ name: 'auth', script: 'migrate', env })
      await untilReady(client)
      expect((await early).status).toBe(201)
      expect(await service.stop()).toBe(0)
    } finally {
      await service.kill()
      await postgres.stop()
      await rm(folder, { recursive: true, force: true })
    }
  }, 90_000)

  it('fails with one line for each bad variable', async () => {
    const env = environment({ LOG_LEVEL: 'loud', MODE: 'prod', BCRYPT_COST: '3' })
    const service = await startService({ name: 'auth', env, ready: false })
    expect(await service.exited).toBe(1)
    expect(service.output().split('\n').sort()).toEqual([
      'configuration: BCRYPT_COST must be a whole number from 4 to 15',
      'configuration: LOG_LEVEL must be one of fatal, error, warn, info, debug, silent',
      'configuration: MODE must be one of sandbox, live',
    ])
  })
})

/** Sends a request and returns its status, or the reason if the connection is lost. */
function ask(url: string, agent: Agent, token: string): Promise<number | string> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` }
    const call = request(`${url}/api/auth/validate`, { agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
      response.on('error', (error) => resolve(`lost: ${error.message}`))
    })
    call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    call.end()
  })
}

/** Polls readiness like a load balancer, and sends requests until it fails. */
function clients(service: Service, token: string) {
  const answers = new Map<number | string, number>()
  const balancer = { ready: true }
  const worker = async (agent: Agent) => {
    while (balancer.ready) {
      const answer = await ask(service.url, agent, token)
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
    agent.destroy()
  }
  const probe = async () => {
    while (balancer.ready) {
      await sleep(100)
      balancer.ready = (await fetch(`${service.url}/health/ready`)).ok
    }
  }
  const workers = Array.from({ length: 8 }, () => worker(new Agent({ keepAlive: true })))
  return { answers, over: Promise.all([probe(), ...workers]) }
}

describe('SIGTERM', () => {
  it('under load completes every accepted request', async () => {
    const { service, client } = await started({ BCRYPT_COST: '10', SHUTDOWN_DRAIN_MS: '1500' })
    const user = await newUser(client)
    const { access_token: token } = await login(client, user)
    const { answers, over } = clients(service, token)
    await vi.waitUntil(() => Number(answers.get(200)) > 20, 10_000)
    const logins = Array.from({ length: 8 }, () => attempt(client, user))
    await sleep(50)
    const stopped = service.stop()
    await sleep(100)
    const { status, headers } = await fetch(`${service.url}/health/live`)
    expect([status, headers.get('connection')]).toEqual([200, 'close'])
    expect(await Promise.all(logins)).toEqual(Array(8).fill(200))
    await over
    expect([...answers.keys()]).toEqual([200])
    expect(await stopped).toBe(0)
    await expect(fetch(`${service.url}/health/live`)).rejects.toThrow('fetch failed')
  })

  it('completes a slow request without a drain', async () => {
    const { service, client } = await started({ BCRYPT_COST: '12' })
    const user = await newUser(client)
    const answer = attempt(client, user)
    await sleep(100)
    expect(await service.stop()).toBe(0)
    expect(await answer).toBe(200)
  })
})

/** Logs in without the OpenAPI check, because the document may be unavailable by then. */
async function attempt(client: Client, { phone, password }: Person): Promise<number> {
  const body = { phone, password }
  return (await client.sendUnchecked('POST', '/api/auth/login', { body })).status
}
