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

const grantsOf = (userId: string, from = auth) =>
  from.sql<{ actor: string | null; detail: object }>(
    `SELECT actor_id AS actor, detail FROM audit_events
     WHERE kind = 'grant' AND user_id = $1 ORDER BY at, id`,
    userId,
  )

const scopesOf = async (userId: string) =>
  (await auth.sql<{ scopes: string[] | null }>('SELECT scopes FROM users WHERE id = $1', userId))[0]
    ?.scopes

const DEFAULTS = ['payments:read', 'payments:write', 'payments:settle']

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
      expect(await redis.exists(`revoked:${first.sid}`, `revoked:${second.sid}`)).toBe(2)
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
      const session = { userId: sub, passwordVersion: 1, lifetimeSeconds: 60, limit: 20, origin }
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

describe('operator scopes', () => {
  it.each(['payments:admin', 'auth:admin'])('%s is not granted through the API', async (scope) => {
    const { sub, token } = await newSession(auth.client)
    const answer = await put(sub, [...DEFAULTS, scope])
    expect([answer.status, answer.body.type]).toEqual([403, '/problems/operator-scopes'])
    expect(await scopesOf(sub)).toBeNull()
    expect(await grantsOf(sub)).toEqual([])
    expect(await isValid(auth.client, token)).toBe(true)
  })

  it('can be retained and removed through the API', async () => {
    const { user, token } = await newOperator(auth, 'payments:admin', 'auth:admin')
    expect((await put(user.id, ['payments:read', 'payments:admin'])).status).toBe(200)
    expect(await isValid(auth.client, token)).toBe(false)
    expect(await scopesOf(user.id)).toEqual(['payments:read', 'payments:admin'])
    const again = await put(user.id, ['payments:admin', 'auth:admin'])
    expect([again.status, again.body.type]).toEqual([403, '/problems/operator-scopes'])
    expect((await put(user.id, ['payments:read'])).status).toBe(200)
  })

  it('are not restored by a change that runs at the same time as their removal', async () => {
    for (let round = 0; round < 5; round++) {
      const { user } = await newOperator(auth, 'payments:read', 'payments:admin')
      const [, removal] = await Promise.all([
        put(user.id, ['payments:read', 'payments:write', 'payments:admin']),
        put(user.id, ['payments:read']),
      ])
      expect(removal.status).toBe(200)
      const last = (await grantsOf(user.id)).at(-1)
      expect(last?.detail).toMatchObject({ scopes: ['payments:read'] })
      expect(await scopesOf(user.id)).toEqual(['payments:read'])
    }
  })
})

describe('own scopes', () => {
  it.each([
    ['adding a scope', ['auth:admin', 'payments:write']],
    ['adding an operator scope', ['auth:admin', 'payments:admin']],
    ['removing a scope', []],
    ['no change', ['auth:admin']],
    ['an unknown scope', ['everything']],
  ])('cannot be changed: %s', async (_, scopes) => {
    for (const id of [operator.sub, operator.sub.toUpperCase()]) {
      const answer = await put(id, scopes)
      expect([answer.status, answer.body.type]).toEqual([403, '/problems/own-scopes'])
    }
    expect(await scopesOf(operator.sub)).toEqual(['auth:admin'])
    expect(await isValid(auth.client, operator.token)).toBe(true)
  })
})

describe('a change of scopes by SQL', () => {
  it('is in the audit trail, once for each change', async () => {
    const { id } = await newUser(auth.client)
    await auth.sql(`UPDATE users SET scopes = '{payments:admin}' WHERE id = $1`, id)
    await auth.sql(`UPDATE users SET scopes = '{payments:admin}', email = email WHERE id = $1`, id)
    await auth.sql('UPDATE users SET scopes = NULL WHERE id = $1', id)
    const scopes = ['payments:admin']
    expect(await grantsOf(id)).toEqual([
      { actor: null, detail: { before: null, scopes } },
      { actor: null, detail: { before: scopes, scopes: null } },
    ])
  })
})

describe('the metric operator_scope_grants', () => {
  /** A new service, so that no other test grants in its database, and its first poll is soon. */
  async function grantsCounted(prepare: (other: Auth, id: string) => Promise<unknown>) {
    const other = await startAuth()
    try {
      await prepare(other, (await newUser(other.client)).id)
    } finally {
      await other.close()
    }
    const restarted = await startAuth({ DATABASE_URL: other.databaseUrl })
    const metric = async () => {
      const { body } = await restarted.client.get('/metrics')
      return Number(/^operator_scope_grants (\d+)$/m.exec(body as string)?.[1])
    }
    try {
      await expect
        .poll(
          async () =>
            /worker="operator_grants_poll",outcome="ok"} [1-9]/.test(
              (await restarted.client.get('/metrics')).body as string,
            ),
          { timeout: 10_000 },
        )
        .toBe(true)
      return await metric()
    } finally {
      await restarted.close()
    }
  }

  const setScopes = (other: Auth, id: string, ...scopes: string[]) =>
    other.sql('UPDATE users SET scopes = $2 WHERE id = $1', id, scopes)

  it('counts each grant of an operator scope, by the command or by SQL', async () => {
    const count = await grantsCounted(async (other, id) => {
      await setScopes(other, id, 'payments:read', 'payments:admin')
      await setScopes(other, id, 'payments:admin', 'auth:admin')
    })
    expect(count).toBe(2)
  })

  it('does not count other changes, nor grants more than an hour ago', async () => {
    const count = await grantsCounted(async (other, id) => {
      await setScopes(other, id, 'payments:read')
      await other.sql(
        `INSERT INTO audit_events (id, kind, user_id, detail)
         VALUES (uuidv7(interval '-61 minutes'), 'grant', $1, '{"scopes": ["auth:admin"]}')`,
        id,
      )
    })
    expect(count).toBe(0)
  })
})
