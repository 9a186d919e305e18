import { setTimeout as sleep } from 'node:timers/promises'
import { startRedis, type Redis as RedisServer } from '@malipo/local/redis'
import { startProxy } from '@malipo/testing/proxy'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, isValid, newSession, openSession, startAuth } from './auth.js'

let server: RedisServer
let redis: Redis
let auth: Auth

beforeAll(async () => {
  const started = await startRedis()
  if (!started) throw new Error('no redis-server on the PATH')
  server = started
  redis = new Redis(server.url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  redis.on('error', () => undefined)
  auth = await startAuth({ REDIS_URL: server.url })
})
afterAll(async () => {
  redis.disconnect()
  await auth.close()
  await server.stop()
})

const logout = (token: string, from = auth) =>
  from.client.send('POST', '/api/auth/logout', { token })

const pending = () => auth.sql<{ sid: string }>('SELECT session_id AS sid FROM revocation_outbox')

const metric = async () => String((await auth.client.get('/metrics')).body)

const published = (sid: string) =>
  expect.poll(() => redis.exists(`session:${sid}`), { timeout: 10_000 }).toBe(1)

async function loggedOut(from = auth) {
  const session = await newSession(from.client)
  expect((await logout(session.token, from)).status).toBe(204)
  return session
}

describe('while Redis is down', () => {
  it('answers a logout with 503, revokes the session, and publishes when Redis is back', async () => {
    const { token, sid } = await newSession(auth.client)
    await server.kill()
    try {
      const answer = await logout(token)
      expect([answer.status, answer.body.type]).toEqual([503, '/problems/revocation-pending'])
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await isValid(auth.client, token)).toBe(false)
      expect(await pending()).toEqual([{ sid }])
      expect((await logout(token)).status).toBe(503)
      await expect.poll(metric, { timeout: 20_000 }).toContain('\nrevocations_pending 1\n')
    } finally {
      await server.restart()
    }
    await published(sid)
    await expect.poll(pending, { timeout: 10_000 }).toEqual([])
    await expect.poll(metric, { timeout: 10_000 }).toContain('\nrevocations_pending 0\n')
    expect((await logout(token)).status).toBe(204)
  })

  it('answers the revocation of another session with 503, but not a reused refresh token or a new password', async () => {
    const own = await newSession(auth.client)
    const other = await openSession(auth.client, own.user)
    const third = await openSession(auth.client, own.user)
    const stolen = await newSession(auth.client)
    const cut = { refresh_token: stolen.refreshToken.slice(0, 43) }
    await server.kill()
    try {
      const path = `/api/auth/sessions/${other.sid}`
      const deleted = await auth.client.send('DELETE', path, { token: own.token })
      expect(deleted.status).toBe(503)
      expect((await auth.client.post('/api/auth/refresh', cut)).status).toBe(401)
      const passwords = { currentPassword: own.user.password, newPassword: 'another pass phrase' }
      const changed = await auth.client.post('/api/auth/password', passwords, { token: own.token })
      expect(changed.status).toBe(204)
      const sids = (await pending()).map(({ sid }) => sid).sort()
      expect(sids).toEqual([other.sid, third.sid, stolen.sid].sort())
    } finally {
      await server.restart()
    }
    for (const { sid } of [other, third, stolen]) await published(sid)
    await expect.poll(pending, { timeout: 10_000 }).toEqual([])
  })

  it('publishes what a stopped replica could not publish', async () => {
    const dying = await startAuth({
      DATABASE_URL: auth.databaseUrl,
      REDIS_URL: 'redis://127.0.0.1:1',
    })
    const { token, sid } = await newSession(dying.client)
    expect((await logout(token, dying)).status).toBe(503)
    await dying.close()
    await published(sid)
    await expect.poll(pending, { timeout: 10_000 }).toEqual([])
  })
})

describe('after Redis has lost its data', () => {
  it('publishes again every revocation that still matters', async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => loggedOut()))
    const longAgo = await newSession(auth.client)
    await auth.sql(
      `UPDATE sessions SET revoked_at = now() - interval '961 s' WHERE id = $1`,
      longAgo.sid,
    )
    await server.restart()
    for (const { sid } of sessions) await published(sid)
    await sleep(500)
    expect(await redis.exists(`session:${longAgo.sid}`)).toBe(0)
    await expect.poll(pending, { timeout: 10_000 }).toEqual([])
  })

  it('publishes again more than one batch', async () => {
    const { sub } = await newSession(auth.client)
    const revoked = await auth.sql<{ id: string }>(
      `WITH created AS (
         INSERT INTO sessions
           (id, user_id, refresh_token_hash, current_token_hash, last_used_at, expires_at)
         SELECT gen_random_uuid(), $1, sha256(gen_random_uuid()::text::bytea), sha256(''), now(),
                now() + interval '1 d'
         FROM generate_series(1, 450) RETURNING id
       ) SELECT id FROM created`,
      sub,
    )
    // All revocations have the same time, so pages must not be split by time alone.
    await auth.sql('UPDATE sessions SET revoked_at = now() WHERE user_id = $1', sub)
    const marked = async () => redis.exists(...revoked.map(({ id }) => `session:${id}`))
    await expect.poll(marked, { timeout: 10_000 }).toBe(revoked.length)
    await expect.poll(pending, { timeout: 10_000 }).toEqual([])
    await server.restart()
    await expect.poll(marked, { timeout: 10_000 }).toBe(revoked.length)
  })
})

describe('while Redis is slow', () => {
  it('answers a logout with 204 if Redis responds within 2 s', async () => {
    const { token, sid } = await newSession(auth.client)
    await redis.call('CLIENT', 'PAUSE', '1000', 'ALL')
    expect((await logout(token)).status).toBe(204)
    await published(sid)
  })

  it('answers a logout with 503 after 2 s, and publishes once Redis responds', async () => {
    const { token, sid } = await newSession(auth.client)
    await redis.call('CLIENT', 'PAUSE', '6000', 'ALL')
    const startedAt = performance.now()
    expect((await logout(token)).status).toBe(503)
    expect(performance.now() - startedAt).toBeGreaterThan(1_900)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    await published(sid)
  })

  it('answers with 204 although the response of Redis is lost with its connection', async () => {
    const proxy = await startProxy(server.port, (data) => data.includes('publish'))
    const far = await startAuth({
      DATABASE_URL: auth.databaseUrl,
      REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
    })
    try {
      const { token, sid } = await newSession(far.client)
      await expect.poll(async () => (await far.client.get('/metrics')).body).toContain('redis_up 1')
      proxy.loseNextAnswer()
      expect((await logout(token, far)).status).toBe(204)
      await published(sid)
    } finally {
      await far.close()
      await proxy.close()
    }
  })
})

describe('after Redis was made a replica of an older server and a primary again', () => {
  it('publishes again every revocation that still matters', async () => {
    const { sid } = await loggedOut()
    await published(sid)
    const older = await startRedis({ settings: { 'repl-diskless-sync-delay': '0' } })
    if (!older) throw new Error('no redis-server on the PATH')
    try {
      await redis.replicaof('127.0.0.1', older.port)
      const { token, sid: other } = await newSession(auth.client)
      await expect
        .poll(() => redis.info('replication'), { timeout: 20_000 })
        .toContain('master_link_status:up')
      expect((await logout(token)).status).toBe(503)
      await redis.replicaof('NO', 'ONE')
      await published(sid)
      await published(other)
    } finally {
      await redis.replicaof('NO', 'ONE')
      await older.stop()
    }
  })
})

it('logs out without Redis', async () => {
  const alone = await startAuth({ DATABASE_URL: auth.databaseUrl, REDIS_URL: undefined })
  try {
    const { token } = await loggedOut(alone)
    expect(await isValid(alone.client, token)).toBe(false)
  } finally {
    await alone.close()
  }
})
