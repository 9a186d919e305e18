import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Redis } from 'ioredis'
import { inject } from 'vitest'
import { type Auth, isValid, newSession, newUser, openSession, startAuth } from './auth.js'

let auth: Auth
let redis: Redis
beforeAll(async () => {
  auth = await startAuth()
  redis = new Redis(inject('redisUrl'))
})
afterAll(async () => {
  redis.disconnect()
  await auth.close()
})

const logout = (token: string) => auth.client.send('POST', '/api/auth/logout', { token })
const end = (id: string, token: string) =>
  auth.client.send('DELETE', `/api/auth/sessions/${id}`, { token })

const TTL_MS = (900 + 60) * 1000

/** Expects that Redis contains the revocation in the form that payments reads. */
async function expectMarked(sid: string) {
  const [row] = await auth.sql<{ at: Date }>(
    'SELECT revoked_at AS at FROM sessions WHERE id = $1',
    sid,
  )
  expect(await redis.get(`session:${sid}`)).toBe(`revoked:${row?.at.getTime()}`)
  const ttlMs = await redis.pttl(`session:${sid}`)
  expect(ttlMs).toBeGreaterThan(TTL_MS - 10_000)
  expect(ttlMs).toBeLessThanOrEqual(TTL_MS)
  await expect
    .poll(() => auth.sql('SELECT 1 FROM revocation_outbox WHERE session_id = $1', sid))
    .toEqual([])
}

describe('POST /api/auth/logout', () => {
  it('revokes the session in the database and in Redis before the response', async () => {
    const { user, token, refreshToken, sid } = await newSession(auth.client)
    const other = await openSession(auth.client, user)
    const { status, body } = await logout(token)
    expect([status, body]).toEqual([204, ''])
    await expectMarked(sid)
    expect(await isValid(auth.client, token)).toBe(false)
    expect((await auth.client.get('/api/auth/me', { token })).status).toBe(401)
    const refresh = await auth.client.post('/api/auth/refresh', { refresh_token: refreshToken })
    expect(refresh.status).toBe(401)
    expect(await isValid(auth.client, other.token)).toBe(true)
  })

  it('publishes the revocation', async () => {
    const listener = redis.duplicate()
    const heard: string[] = []
    await listener.subscribe('revoked')
    listener.on('message', (_, message) => heard.push(message))
    try {
      const { token, sid } = await newSession(auth.client)
      await logout(token)
      const at = Number((await redis.get(`session:${sid}`))?.slice('revoked:'.length))
      await expect
        .poll(() => heard.map((text) => JSON.parse(text) as object))
        .toContainEqual({ sid, at })
    } finally {
      listener.disconnect()
    }
  })

  it('has the same response when repeated, and revokes once', async () => {
    const { token, sid } = await newSession(auth.client)
    const answers = await Promise.all(Array.from({ length: 20 }, () => logout(token)))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(204))
    expect((await logout(token)).status).toBe(204)
    const events = await auth.sql(
      `SELECT detail, actor_id = user_id AS "byUser" FROM audit_events
       WHERE session_id = $1 AND kind = 'revocation'`,
      sid,
    )
    expect(events).toEqual([{ detail: { cause: 'logout' }, byUser: true }])
    await expectMarked(sid)
  })

  it.each([
    ['no token', undefined],
    ['a malformed token', 'nonsense'],
  ])('rejects %s', async (_, token) => {
    const answer = await auth.client.send('POST', '/api/auth/logout', token ? { token } : {})
    expect([answer.status, answer.body.type]).toEqual([401, '/problems/unauthenticated'])
  })

  it('concurrent with refreshes leaves no valid token', async () => {
    for (let round = 0; round < 10; round++) {
      const { token, refreshToken } = await newSession(auth.client)
      const [refreshed] = await Promise.all([
        auth.client.post('/api/auth/refresh', { refresh_token: refreshToken }),
        logout(token),
      ])
      expect([200, 401]).toContain(refreshed.status)
      if (refreshed.status === 401) continue
      expect(await isValid(auth.client, refreshed.body.access_token as string)).toBe(false)
      const again = { refresh_token: refreshed.body.refresh_token as string }
      expect((await auth.client.post('/api/auth/refresh', again)).status).toBe(401)
    }
  })
})

describe('GET /api/auth/sessions', () => {
  it('lists the caller’s active sessions, most recently used first', async () => {
    const first = await newSession(auth.client)
    const second = await openSession(auth.client, first.user)
    const ended = await openSession(auth.client, first.user)
    await newSession(auth.client)
    await logout(ended.token)
    const refreshToken = first.refreshToken
    await auth.client.post(
      '/api/auth/refresh',
      { refresh_token: refreshToken },
      { headers: { 'user-agent': 'the app/2' } },
    )
    const { status, body, headers } = await auth.client.get('/api/auth/sessions', {
      token: second.token,
    })
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const times = { createdAt: time, lastUsedAt: time, expiresAt: time }
    const address = '127.0.0.1'
    expect(body).toEqual({
      data: [
        { id: first.sid, ...times, userAgent: 'the app/2', address, current: false },
        { id: second.sid, ...times, userAgent: 'node', address, current: true },
      ],
    })
  })

  it('lists no expired session, and at most a hundred', async () => {
    const { token, sub, sid } = await newSession(auth.client)
    await auth.sql(
      `INSERT INTO sessions
         (id, user_id, refresh_token_hash, current_token_hash, last_used_at, created_at, expires_at)
       SELECT gen_random_uuid(), $1, sha256(gen_random_uuid()::text::bytea), sha256(''),
              now() - interval '2 h', now() - interval '2 h', now() + n * interval '1 minute' - interval '30 s'
       FROM generate_series(0, 120) AS n`,
      sub,
    )
    const { body } = await auth.client.get('/api/auth/sessions', { token })
    expect(body.data).toHaveLength(100)
    expect(body.data[0].id).toBe(sid)
    for (const { expiresAt } of body.data as { expiresAt: string }[]) {
      expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now())
    }
  })
})

describe('the limit of sessions per user', () => {
  const LIMIT = 3
  let limited: Auth
  beforeAll(async () => {
    const own = { SESSIONS_PER_USER: String(LIMIT), DATABASE_URL: auth.databaseUrl }
    limited = await startAuth(own)
  })
  afterAll(() => limited.close())

  const active = async (userId: string) =>
    (
      await auth.sql<{ id: string }>(
        `SELECT id FROM sessions
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY id`,
        userId,
      )
    ).map(({ id }) => id)

  it('is 20 by default', async () => {
    const { user, sid, sub } = await newSession(auth.client)
    for (let i = 1; i < 20; i++) await openSession(auth.client, user)
    expect(await active(sub)).toContain(sid)
    await openSession(auth.client, user)
    const ids = await active(sub)
    expect(ids).toHaveLength(20)
    expect(ids).not.toContain(sid)
  })

  it('revokes the least recently used session, in Redis and in the audit trail', async () => {
    const first = await newSession(limited.client)
    const second = await openSession(limited.client, first.user)
    const third = await openSession(limited.client, first.user)
    await limited.client.post('/api/auth/refresh', { refresh_token: first.refreshToken })
    const fourth = await openSession(limited.client, first.user)
    expect(await active(first.sub)).toEqual([first.sid, third.sid, fourth.sid])
    expect(await isValid(limited.client, second.token)).toBe(false)
    await expectMarked(second.sid)
    const events = await auth.sql(
      `SELECT user_id, actor_id, session_id, detail FROM audit_events
       WHERE kind = 'revocation' AND user_id = $1`,
      first.sub,
    )
    const { sub } = first
    const detail = { cause: 'session_limit' }
    expect(events).toEqual([{ user_id: sub, actor_id: sub, session_id: second.sid, detail }])
    const { body } = await limited.client.get('/metrics')
    expect(body).toMatch(/^revocations_total{cause="session_limit"} [1-9]/m)
  })

  it('counts neither revoked nor expired sessions, nor those of other users', async () => {
    const first = await newSession(limited.client)
    const second = await openSession(limited.client, first.user)
    await auth.sql(
      `UPDATE sessions SET created_at = now() - interval '2 s', expires_at = now() - interval '1 s'
       WHERE id = $1`,
      second.sid,
    )
    const third = await openSession(limited.client, first.user)
    await logout(third.token)
    await newSession(limited.client)
    await openSession(limited.client, first.user)
    await openSession(limited.client, first.user)
    expect(await active(first.sub)).toHaveLength(LIMIT)
    expect(await active(first.sub)).toContain(first.sid)
  })

  it('holds for concurrent logins', async () => {
    const { user, sub } = await newSession(limited.client)
    await Promise.all(
      Array.from({ length: 12 }, (_, i) => openSession((i % 2 ? limited : auth).client, user)),
    )
    await openSession(limited.client, user)
    const ids = await active(sub)
    expect(ids).toHaveLength(LIMIT)
    await Promise.all(Array.from({ length: 12 }, () => openSession(limited.client, user)))
    expect(await active(sub)).toHaveLength(LIMIT)
  })

  it('applies to all earlier sessions when it was lowered', async () => {
    const { user, sub } = await newSession(auth.client)
    for (let i = 0; i < 6; i++) await openSession(auth.client, user)
    const { sid } = await openSession(limited.client, user)
    const ids = await active(sub)
    expect(ids).toHaveLength(LIMIT)
    expect(ids).toContain(sid)
  })
})

describe('DELETE /api/auth/sessions/{id}', () => {
  it('revokes another session of the caller', async () => {
    const own = await newSession(auth.client)
    const other = await openSession(auth.client, own.user)
    expect((await end(other.sid, own.token)).status).toBe(204)
    await expectMarked(other.sid)
    expect(await isValid(auth.client, other.token)).toBe(false)
    expect(await isValid(auth.client, own.token)).toBe(true)
    expect((await end(other.sid, own.token)).status).toBe(204)
  })

  it('revokes the caller’s current session', async () => {
    const own = await newSession(auth.client)
    expect((await end(own.sid, own.token)).status).toBe(204)
    expect(await isValid(auth.client, own.token)).toBe(false)
    expect((await end(own.sid, own.token)).status).toBe(401)
  })

  it('answers 404 for a session of another user', async () => {
    const own = await newSession(auth.client)
    const stranger = await newSession(auth.client)
    const answer = await end(stranger.sid, own.token)
    expect([answer.status, answer.body.type]).toEqual([404, '/problems/session-not-found'])
    expect(await isValid(auth.client, stranger.token)).toBe(true)
  })

  it.each(['00000000-0000-7000-8000-000000000000', '1', `' OR 1 = 1 --`, '%00', 'x'.repeat(99)])(
    'knows no session %j',
    async (id) => {
      const own = await newSession(auth.client)
      const answer = await end(encodeURIComponent(id), own.token)
      expect(answer.status).toBe(404)
    },
  )

  it('needs a valid token', async () => {
    const user = await newUser(auth.client)
    const { sid } = await openSession(auth.client, user)
    const answer = await auth.client.send('DELETE', `/api/auth/sessions/${sid}`)
    expect([answer.status, answer.body.type]).toEqual([401, '/problems/unauthenticated'])
  })
})

describe('a revoked session', () => {
  it('cannot be reinstated by SQL', async () => {
    const { token, sid } = await newSession(auth.client)
    await logout(token)
    await expect(
      auth.sql('UPDATE sessions SET revoked_at = NULL WHERE id = $1', sid),
    ).rejects.toMatchObject({ constraint: 'sessions_revocation_is_final' })
  })

  it('is published and audited when revoked by SQL', async () => {
    const { token, sid } = await newSession(auth.client)
    await auth.sql('UPDATE sessions SET revoked_at = now() WHERE id = $1', sid)
    expect(await isValid(auth.client, token)).toBe(false)
    await expect.poll(() => redis.exists(`session:${sid}`), { timeout: 10_000 }).toBe(1)
    await expectMarked(sid)
    const events = await auth.sql(
      `SELECT actor_id, detail FROM audit_events WHERE session_id = $1 AND kind = 'revocation'`,
      sid,
    )
    expect(events).toEqual([{ actor_id: null, detail: { cause: 'database' } }])
  })
})
