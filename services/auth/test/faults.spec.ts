import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Postgres, startPostgres } from '@malipo/local/postgres'
import { startRedis } from '@malipo/local/redis'
import { freshDatabase } from '@malipo/testing/database'
import { startProxy } from '@malipo/testing/proxy'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, login, newPerson, newSession, newUser, type Person, startAuth } from './auth.js'

let folder: string
let postgres: Postgres

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'malipo-auth-faults-'))
  postgres = await startPostgres({ dataDir: join(folder, 'postgres'), databases: [] })
})
afterAll(async () => {
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

const ownDatabase = () => freshDatabase('auth', postgres.url('postgres'))

/**
 * Sends requests in a loop. The returned function stops the loop and returns status counts. `user` is not the
 * owner of the token, because each login beyond the limit of sessions revokes the user's oldest session.
 */
function load(auth: Auth, user: Person, token: string) {
  const statuses = new Map<string, number>()
  const state = { over: false }
  const note = (what: string, status: number) =>
    statuses.set(`${what} ${status}`, (statuses.get(`${what} ${status}`) ?? 0) + 1)
  const worker = async () => {
    while (!state.over) {
      const { phone, password } = user
      note('login', (await auth.client.post('/api/auth/login', { phone, password })).status)
      const validation = await auth.client.get('/api/auth/validate', { token })
      note(`valid ${validation.body.valid}`, validation.status)
      note('me', (await auth.client.get('/api/auth/me', { token })).status)
      note('register', (await auth.client.post('/api/auth/register', newPerson())).status)
    }
  }
  const workers = Promise.all(Array.from({ length: 4 }, worker))
  return async () => {
    state.over = true
    await workers
    return Object.fromEntries(statuses)
  }
}

const ALL_WELL = {
  'login 200': expect.any(Number),
  'valid true 200': expect.any(Number),
  'me 200': expect.any(Number),
  'register 201': expect.any(Number),
}

describe('PostgreSQL', () => {
  it.each([
    ['restarts', () => postgres.restart()],
    ['crashes and recovers', () => postgres.kill().then(postgres.restart)],
  ])('%s under load: no request fails', async (_, disturb) => {
    const auth = await startAuth({ DATABASE_URL: await ownDatabase() })
    try {
      const { token } = await newSession(auth.client)
      const stop = load(auth, await newUser(auth.client), token)
      await sleep(300)
      await disturb()
      await sleep(700)
      const statuses = await stop()
      expect(statuses).toEqual(ALL_WELL)
      const [row] = await auth.sql<{ count: string }>('SELECT count(*) FROM users')
      expect(Number(row?.count)).toBe(2 + Number(statuses['register 201']))
    } finally {
      await auth.close()
    }
  })

  it('down for longer than DB_WAIT_MS: 503, never a rejection, and recovery', async () => {
    const auth = await startAuth({ DATABASE_URL: await ownDatabase(), DB_WAIT_MS: '700' })
    try {
      const user = await newUser(auth.client)
      const { access_token: token } = await login(auth.client, user)
      await postgres.stop()
      const { phone, password } = user
      const requests = [
        () => auth.client.get('/api/auth/validate', { token }),
        () => auth.client.get('/api/auth/me', { token }),
        () => auth.client.post('/api/auth/register', newPerson()),
        // Exceeds the limit of failed logins: an outage must not count as failed logins.
        ...Array.from(
          { length: 12 },
          () => () => auth.client.post('/api/auth/login', { phone, password }),
        ),
      ]
      for (const request of requests) {
        const answer = await request()
        expect([answer.status, answer.body.type]).toEqual([503, '/problems/unavailable'])
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      }
      const health = await auth.client.get('/health')
      expect([health.status, health.body.info.database.status]).toEqual([200, 'degraded'])
      expect((await auth.client.get('/health/ready')).status).toBe(200)
      await postgres.restart()
      await login(auth.client, user)
      expect((await auth.client.get('/api/auth/validate', { token })).body.valid).toBe(true)
    } finally {
      await postgres.restart()
      await auth.close()
    }
  })

  it('that answers nothing: 503 on every route before DB_WAIT_MS and 500 ms have passed', async () => {
    const DB_WAIT_MS = 2_000
    const through = new URL(await ownDatabase())
    const proxy = await startProxy(postgres.port)
    through.port = String(proxy.port)
    const auth = await startAuth({ DATABASE_URL: through.href, DB_WAIT_MS: String(DB_WAIT_MS) })
    try {
      const user = await newUser(auth.client)
      const { access_token: token, refresh_token } = await login(auth.client, user)
      const { phone, password } = user
      proxy.lose(true)
      const requests = [
        () => auth.client.post('/api/auth/login', { phone, password }),
        () => auth.client.post('/api/auth/register', newPerson()),
        () => auth.client.post('/api/auth/refresh', { refresh_token }),
        () => auth.client.get('/api/auth/validate', { token }),
        () => auth.client.get('/api/auth/sessions', { token }),
        () => auth.client.post('/api/auth/logout', {}, { token }),
      ]
      // The first round finds idle connections, the second one waits for new ones.
      for (const _ of ['idle connections', 'new connections']) {
        const answers = requests.map(async (request) => {
          const begunAt = performance.now()
          expect((await request()).status).toBe(503)
          return performance.now() - begunAt
        })
        expect(Math.max(...(await Promise.all(answers)))).toBeLessThan(DB_WAIT_MS + 500)
      }
    } finally {
      proxy.lose(false)
      await auth.close()
      await proxy.close()
    }
  })

  it.each([
    ['user_insert', 'a registration'],
    ['session_open', 'a login'],
  ])('committed %s and lost its result: applied exactly once', async (statement) => {
    let lost = 0
    const proxy = await startProxy(postgres.port, (data) => {
      const matches = data.includes(statement)
      if (matches) lost++
      return matches
    })
    const direct = await ownDatabase()
    const through = new URL(direct)
    through.port = String(proxy.port)
    const auth = await startAuth({ DATABASE_URL: through.href })
    try {
      const warm = await newUser(auth.client)
      await login(auth.client, warm)
      const person = newPerson()
      if (statement === 'user_insert') proxy.loseNextAnswer()
      const { status } = await auth.client.post('/api/auth/register', person)
      expect(status).toBe(201)
      if (statement === 'session_open') proxy.loseNextAnswer()
      const { access_token: token } = await login(auth.client, person)
      expect(lost).toBe(1)
      expect((await auth.client.get('/api/auth/validate', { token })).body.valid).toBe(true)
      const counts = await auth.sql<object>(
        `SELECT count(DISTINCT users.id)::int AS users, count(sessions.id)::int AS sessions
         FROM users JOIN sessions ON user_id = users.id WHERE phone = $1`,
        person.phone,
      )
      expect(counts).toEqual([{ users: 1, sessions: 1 }])
    } finally {
      await auth.close()
      await proxy.close()
    }
  })
})

describe('Redis', () => {
  it('killed and restarted under load: logins and validations succeed, guessing is rate-limited', async () => {
    const redis = await startRedis()
    if (!redis) throw new Error('no redis-server on the PATH')
    const auth = await startAuth({ REDIS_URL: redis.url })
    try {
      const { token } = await newSession(auth.client)
      const stop = load(auth, await newUser(auth.client), token)
      await sleep(200)
      await redis.kill()
      await sleep(500)
      const { phone } = await newUser(auth.client)
      const statuses = []
      for (let i = 0; i < 12; i++) {
        const guess = { phone, password: `guess ${i}` }
        statuses.push((await auth.client.post('/api/auth/login', guess)).status)
      }
      expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429])
      await redis.restart()
      await sleep(500)
      expect(await stop()).toEqual(ALL_WELL)
    } finally {
      await auth.close()
      await redis.stop()
    }
  })

  it('not configured: guessing is rate-limited', async () => {
    const auth = await startAuth({ REDIS_URL: undefined })
    try {
      const user = await newUser(auth.client)
      const { access_token: token } = await login(auth.client, user)
      expect((await auth.client.get('/api/auth/validate', { token })).body.valid).toBe(true)
      const { phone, password } = user
      for (let i = 0; i < 10; i++) {
        await auth.client.post('/api/auth/login', { phone, password: `guess ${i}` })
      }
      const guess = await auth.client.post('/api/auth/login', { phone, password: 'one more' })
      expect(guess.status).toBe(429)
      // The owner has a session in this network.
      expect((await auth.client.post('/api/auth/login', { phone, password })).status).toBe(200)
    } finally {
      await auth.close()
    }
  })
})
