import { setTimeout as sleep } from 'node:timers/promises'
import type { Run } from '@malipo/kit/postgres/database'
import { startRedis } from '@malipo/local/redis'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { v7 as uuidV7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { newRefreshToken } from '../src/sessions/refresh-token.js'
import { openSession as openInDatabase } from '../src/sessions/sessions.store.js'
import {
  type Auth,
  claimsOf,
  isValid,
  newOperator,
  newSession,
  newUser,
  openSession,
  startAuth,
} from './auth.js'

let auth: Auth
let operator: Awaited<ReturnType<typeof newOperator>>
beforeAll(async () => {
  auth = await startAuth()
  operator = await newOperator(auth, 'auth:admin')
})
afterAll(() => auth.close())

const put = (
  id: string,
  scopes: unknown,
  token: string | undefined = operator.token,
  from = auth,
) => from.client.send('PUT', `/api/auth/users/${id}/scopes`, { body: { scopes }, token })

const grantsOf = (userId: string) =>
  auth.sql<{ actor: string | null; detail: object }>(
    `SELECT actor_id AS actor, detail FROM audit_events
     WHERE kind = 'grant' AND user_id = $1 ORDER BY at, id`,
    userId,
  )

const DEFAULTS = ['payments:read', 'payments:write', 'payments:settle', 'webhooks:write']

describe('PUT /api/auth/users/{id}/scopes', () => {
  it('replaces a user’s scopes, and revokes no session if no scope is removed', async () => {
    const user = await newUser(auth.client)
    await auth.sql(`UPDATE users SET scopes = '{payments:read}' WHERE id = $1`, user.id)
    const { token, sub, sid } = await openSession(auth.client, user)
    const wished = [...DEFAULTS.toReversed(), 'payments:read']
    const { status, body, headers } = await put(sub, wished)
    expect(status).toBe(200)
    expect(body).toEqual({ id: sub, scopes: DEFAULTS })
    expect(headers.get('cache-control')).toBe('no-store')
    expect(await isValid(auth.client, token)).toBe(true)
    const next = await openSession(auth.client, user)
    expect(next.scope.split(' ')).toEqual(DEFAULTS)
    expect((await grantsOf(sub)).at(-1)).toEqual({
      actor: operator.sub,
      detail: { before: ['payments:read'], scopes: DEFAULTS },
    })
    expect(
      await auth.sql('SELECT 1 FROM sessions WHERE id = $1 AND revoked_at IS NULL', sid),
    ).toEqual([{ '?column?': 1 }])
  })

  it('revokes the user’s sessions when a scope is removed, in Redis too', async () => {
    const first = await newSession(auth.client)
    const second = await openSession(auth.client, first.user)
    const stranger = await newSession(auth.client)
    expect((await put(first.sub, ['payments:read'])).status).toBe(200)
    const redis = new Redis(inject('redisUrl'))
    try {
      expect(await redis.exists(`session:${first.sid}`, `session:${second.sid}`)).toBe(2)
    } finally {
      redis.disconnect()
    }
    for (const { token, refreshToken } of [first, second]) {
      expect(await isValid(auth.client, token)).toBe(false)
      const answer = await auth.client.post('/api/auth/refresh', { refresh_token: refreshToken })
      expect(answer.status).toBe(401)
    }
    expect(await isValid(auth.client, stranger.token)).toBe(true)
    const events = await auth.sql(
      `SELECT actor_id, detail FROM audit_events WHERE kind = 'revocation' AND user_id = $1`,
      first.sub,
    )
    const event = { actor_id: operator.sub, detail: { cause: 'scopes' } }
    expect(events).toEqual([event, event])
  })

  it('can remove all scopes', async () => {
    const { user, sub } = await newSession(auth.client)
    expect((await put(sub, [])).body.scopes).toEqual([])
    expect((await openSession(auth.client, user)).scope).toBe('')
  })

  it.each<[string, unknown, string]>([
    ['an unknown scope', ['payments:everything'], 'scopes'],
    ['no list', 'payments:read', 'scopes'],
    ['a list of other things', [1, null], 'scopes'],
    ['nothing', undefined, 'scopes'],
    ['too many', Array(21).fill('payments:read'), 'scopes'],
  ])('rejects %s', async (_, scopes, field) => {
    const { token, sub } = await newSession(auth.client)
    const answer = await put(sub, scopes)
    expect(answer.status).toBe(400)
    expect(answer.body.errors).toEqual([{ field, message: expect.any(String) }])
    expect(await isValid(auth.client, token)).toBe(true)
  })

  it('never grants payments:settle in live', async () => {
    const live = await startAuth({
      DATABASE_URL: auth.databaseUrl,
      MODE: 'live',
      BCRYPT_COST: '10',
    })
    try {
      const { sub } = await newSession(auth.client)
      const answer = await put(sub, ['payments:settle'], operator.token, live)
      expect(answer.status).toBe(400)
      expect(answer.body.errors[0].message).not.toContain('settle')
    } finally {
      await live.close()
    }
  })

  it.each(['00000000-0000-7000-8000-000000000000', '1', `' OR 1 = 1 --`])(
    'knows no user %j',
    async (id) => {
      const answer = await put(encodeURIComponent(id), [])
      expect([answer.status, answer.body.type]).toEqual([404, '/problems/user-not-found'])
    },
  )

  it('needs auth:admin', async () => {
    const { token, sub } = await newSession(auth.client)
    const others = await newOperator(auth, 'payments:admin', 'payments:read')
    for (const [who, status] of [
      [undefined, 401],
      [token, 403],
      [others.token, 403],
    ] as const) {
      const path = `/api/auth/users/${sub}/scopes`
      const answer = await auth.client.send('PUT', path, {
        body: { scopes: ['auth:admin'] },
        ...(who && { token: who }),
      })
      expect(answer.status).toBe(status)
    }
    const refused = await put(sub, ['auth:admin'], token)
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="auth:admin"',
    )
    expect(await auth.sql('SELECT scopes FROM users WHERE id = $1', sub)).toEqual([
      { scopes: null },
    ])
  })

  it('waits for a concurrent login and revokes its session too', async () => {
    const { sub } = await newSession(auth.client)
    const connection = new Client({ connectionString: auth.databaseUrl })
    await connection.connect()
    try {
      await connection.query('BEGIN')
      const run: Run = async (statement, values) =>
        (await connection.query({ ...statement, values: Object.values(values) })).rows
      const id = uuidV7()
      const { hashes } = newRefreshToken()
      const origin = { address: null, userAgent: null }
      const session = {
        userId: sub,
        passwordVersion: 1,
        lifetimeSeconds: 60,
        deadline: '9999-12-31T00:00:00.000Z',
        limit: 20,
        origin,
      }
      const opening = { ...session, hashes, deviceTokenHash: hashes.own }
      expect(await openInDatabase(run, { id, ...opening })).toEqual({ scopes: null, evicted: [] })
      const answer = put(sub, ['payments:read'])
      await sleep(300)
      await connection.query('COMMIT')
      expect((await answer).status).toBe(200)
      const rows = await auth.sql(
        'SELECT revocation_cause AS cause FROM sessions WHERE id = $1',
        id,
      )
      expect(rows).toEqual([{ cause: 'scopes' }])
    } finally {
      await connection.end()
    }
  })

  it('concurrent with logins and refreshes leaves no valid token with a removed scope', async () => {
    for (let round = 0; round < 6; round++) {
      const first = await newSession(auth.client)
      const { phone, password } = first.user
      const [answer, refreshed, ...logins] = await Promise.all([
        put(first.sub, ['payments:read']),
        auth.client.post('/api/auth/refresh', { refresh_token: first.refreshToken }),
        ...Array.from({ length: 5 }, () =>
          auth.client.post('/api/auth/login', { phone, password }),
        ),
      ])
      expect(answer.status).toBe(200)
      const tokens = [refreshed, ...logins].flatMap(
        ({ body }) => (body.access_token as string) ?? [],
      )
      const bad = []
      for (const token of tokens) {
        if (claimsOf(token).scope !== 'payments:read' && (await isValid(auth.client, token))) {
          bad.push(token)
        }
      }
      expect(bad).toEqual([])
    }
  })

  it('is 503 while Redis is unavailable, and a retry is 200 once it is back', async () => {
    const redis = await startRedis()
    if (!redis) throw new Error('no redis-server on the PATH')
    const other = await startAuth({ DATABASE_URL: auth.databaseUrl, REDIS_URL: redis.url })
    try {
      const { sub, token } = await newSession(other.client)
      await redis.kill()
      const answer = await put(sub, [], operator.token, other)
      expect([answer.status, answer.body.type]).toEqual([503, '/problems/revocation-pending'])
      expect(await isValid(other.client, token)).toBe(false)
      await redis.restart()
      await expect
        .poll(async () => (await put(sub, [], operator.token, other)).status, { timeout: 10_000 })
        .toBe(200)
    } finally {
      await other.close()
      await redis.stop()
    }
  })
})
