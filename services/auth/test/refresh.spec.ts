import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseRefreshToken } from '../src/sessions/refresh-token.js'
import {
  ageRefreshes,
  type Auth,
  claimsOf,
  isValid,
  newSession,
  openSession,
  startAuth,
} from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const refresh = (token: string) => auth.client.post('/api/auth/refresh', { refresh_token: token })

async function refreshed(token: string) {
  const { status, body } = await refresh(token)
  expect(status).toBe(200)
  return body as { access_token: string; refresh_token: string }
}

const endOf = async (sid: string) =>
  (
    await auth.sql<{ ended: boolean; cause: string | null }>(
      'SELECT revoked_at IS NOT NULL AS ended, revocation_cause AS cause FROM sessions WHERE id = $1',
      sid,
    )
  )[0]

const LIVING = { ended: false, cause: null }
const STOLEN = { ended: true, cause: 'refresh_reuse' }

async function expectRefused(token: string) {
  const answer = await refresh(token)
  expect([answer.status, answer.body.type]).toEqual([401, '/problems/refresh-token-not-valid'])
  expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
}

describe('POST /api/auth/refresh', () => {
  it('returns new tokens of the same session', async () => {
    const first = await newSession(auth.client)
    const { status, body, headers } = await refresh(first.refreshToken)
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.stringMatching(/^[\w-]{86}$/),
      device_token: expect.stringMatching(/^[\w-]{64}$/),
    })
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body.refresh_token).not.toBe(first.refreshToken)
    const claims = claimsOf(body.access_token as string)
    expect(claims).toMatchObject({ sub: first.sub, sid: first.sid, scope: first.scope })
    expect(claims.jti).not.toBe(first.jti)
    expect(await isValid(auth.client, body.access_token as string)).toBe(true)
    // A refresh does not invalidate earlier access tokens.
    expect(await isValid(auth.client, first.token)).toBe(true)
  })

  it('stores only hashes', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const { refresh_token: next } = await refreshed(refreshToken)
    const rows = await auth.sql<object>(
      'SELECT sessions::text AS text FROM sessions WHERE id = $1',
      sid,
    )
    for (const token of [refreshToken, next]) {
      expect(JSON.stringify(rows)).not.toContain(token.slice(0, 43))
      expect(JSON.stringify(rows)).not.toContain(token.slice(43))
    }
    const own = parseRefreshToken(next)?.hashes.own.toString('hex')
    expect(JSON.stringify(rows)).toContain(own)
  })

  it('works any number of times', async () => {
    let { refreshToken } = await newSession(auth.client)
    for (let i = 0; i < 5; i++) ({ refresh_token: refreshToken } = await refreshed(refreshToken))
  })

  it('extends the session and records its use', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    await auth.sql(
      `UPDATE sessions SET created_at = now() - interval '3 days', expires_at = now() + interval '1 h',
         last_used_at = now() - interval '2 days' WHERE id = $1`,
      sid,
    )
    await refreshed(refreshToken)
    const [row] = await auth.sql<object>(
      `SELECT expires_at > now() + interval '29 days' AS "putOff", address::text,
         last_used_at > now() - interval '1 minute' AS noted FROM sessions WHERE id = $1`,
      sid,
    )
    expect(row).toEqual({ putOff: true, noted: true, address: '127.0.0.1/32' })
  })

  it('returns the user’s current scopes', async () => {
    const { refreshToken, sub } = await newSession(auth.client)
    await auth.sql(`UPDATE users SET scopes = '{payments:read}' WHERE id = $1`, sub)
    const { access_token: token } = await refreshed(refreshToken)
    expect(claimsOf(token).scope).toBe('payments:read')
  })

  it.each([
    ['no token', {}],
    ['a number', { refresh_token: 1 }],
    ['a list', { refresh_token: ['a'] }],
    ['a very long string', { refresh_token: 'a'.repeat(1001) }],
  ])('rejects %s as input', async (_, body) => {
    const answer = await auth.client.post('/api/auth/refresh', body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors).toEqual([{ field: 'refresh_token', message: expect.any(String) }])
  })

  it.each([
    ['a malformed token', 'nonsense'],
    ['an empty string', ''],
    ['an unknown token', 'a'.repeat(86)],
    ['an unknown first part', 'a'.repeat(43)],
  ])('rejects %s', async (_, token) => expectRefused(token))

  it('rejects an access token', async () => expectRefused((await newSession(auth.client)).token))

  it.each([
    ['is revoked', 'revoked_at = now()'],
    ['has expired', `created_at = now() - interval '2 s', expires_at = now() - interval '1 s'`],
  ])('rejects the token of a session that %s', async (_, change) => {
    const { refreshToken, sid } = await newSession(auth.client)
    await auth.sql(`UPDATE sessions SET ${change} WHERE id = $1`, sid)
    await expectRefused(refreshToken)
  })
})

describe('a used refresh token', () => {
  it('answers with the same successor for 60 s, and changes nothing', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const first = await refreshed(refreshToken)
    await ageRefreshes(auth, sid, 50)
    const row = () => auth.sql<object>('SELECT * FROM sessions WHERE id = $1', sid)
    const before = await row()
    const second = await refreshed(refreshToken)
    expect(second.refresh_token).toBe(first.refresh_token)
    expect(await isValid(auth.client, second.access_token)).toBe(true)
    expect(await row()).toEqual(before)
    await refreshed(first.refresh_token)
    expect(await endOf(sid)).toEqual(LIVING)
  })

  it('answers with the same successor after that was used, too', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const chain = [refreshToken]
    for (let i = 0; i < 4; i++) chain.push((await refreshed(chain.at(-1) ?? '')).refresh_token)
    for (const [i, token] of chain.slice(0, -1).entries()) {
      expect((await refreshed(token)).refresh_token).toBe(chain[i + 1])
    }
    expect(await endOf(sid)).toEqual(LIVING)
  })

  it('has a grace period that a repeat does not extend', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    await refreshed(refreshToken)
    await ageRefreshes(auth, sid, 40)
    await refreshed(refreshToken)
    await ageRefreshes(auth, sid, 40)
    await expectRefused(refreshToken)
    expect(await endOf(sid)).toEqual(STOLEN)
  })

  it('has a grace period of REFRESH_GRACE_MS', async () => {
    const own = { REFRESH_GRACE_MS: '120000', DATABASE_URL: auth.databaseUrl }
    const other = await startAuth(own)
    try {
      const { refreshToken, sid } = await newSession(other.client)
      const body = { refresh_token: refreshToken }
      await other.client.post('/api/auth/refresh', body)
      await ageRefreshes(auth, sid, 100)
      expect((await other.client.post('/api/auth/refresh', body)).status).toBe(200)
    } finally {
      await other.close()
    }
  })

  it.each<[string, (first: string, sid: string) => Promise<string>]>([
    [
      'after 60 s',
      async (first, sid) => {
        await refreshed(first)
        await ageRefreshes(auth, sid, 60)
        return first
      },
    ],
    [
      'after 60 s, even if its successor is in its own grace period',
      async (first, sid) => {
        const { refresh_token: second } = await refreshed(first)
        await ageRefreshes(auth, sid, 30)
        await refreshed(second)
        await ageRefreshes(auth, sid, 30)
        return first
      },
    ],
    [
      'long ago',
      async (first, sid) => {
        let token = first
        for (let i = 0; i < 4; i++) {
          ;({ refresh_token: token } = await refreshed(token))
          await ageRefreshes(auth, sid, 900)
        }
        return first
      },
    ],
    ['forged with the first part of another', async (first) => first.slice(0, 43) + 'x'.repeat(43)],
    ['truncated', async (first) => first.slice(0, 43)],
  ])('%s revokes the session and all its tokens', async (_, prepare) => {
    const { user, refreshToken, token, sid } = await newSession(auth.client)
    const other = await openSession(auth.client, user)
    const bad = await prepare(refreshToken, sid)
    await expectRefused(bad)
    expect(await endOf(sid)).toEqual(STOLEN)
    expect(await isValid(auth.client, token)).toBe(false)
    await expectRefused(refreshToken)
    // The user's other sessions stay active.
    expect(await isValid(auth.client, other.token)).toBe(true)
    const events = await auth.sql<object>(
      `SELECT kind, user_id, session_id, detail FROM audit_events
       WHERE session_id = $1 AND kind <> 'login' ORDER BY kind`,
      sid,
    )
    const of = { user_id: user.id, session_id: sid }
    expect(events).toEqual([
      { kind: 'refresh_reuse', ...of, detail: {} },
      { kind: 'revocation', ...of, detail: { cause: 'refresh_reuse' } },
    ])
  })

  it('is removed from the session two grace periods after its first use', async () => {
    let { refreshToken, sid } = await newSession(auth.client)
    for (let i = 0; i < 5; i++) {
      ;({ refresh_token: refreshToken } = await refreshed(refreshToken))
      await ageRefreshes(auth, sid, 50)
    }
    const [row] = await auth.sql<{ count: number }>(
      `SELECT count(*)::integer AS count FROM sessions, jsonb_each(predecessors) WHERE id = $1`,
      sid,
    )
    expect(row?.count).toBe(3)
  })
})

describe('a session', () => {
  it('is refreshed at most 100 times in 60 s', async () => {
    let { refreshToken, sid } = await newSession(auth.client)
    for (let i = 0; i < 100; i++) ({ refresh_token: refreshToken } = await refreshed(refreshToken))
    const limited = await refresh(refreshToken)
    expect([limited.status, limited.body.type]).toEqual([429, '/problems/too-many-attempts'])
    const wait = Number(limited.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(60)
    expect(await endOf(sid)).toEqual(LIVING)
    await ageRefreshes(auth, sid, wait)
    await refreshed(refreshToken)
  })
})

describe('concurrent refreshes', () => {
  const AT_ONCE = 50

  it('fifty uses of one token have one successor, which stays valid', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, async () => refreshed(refreshToken)),
    )
    const successors = new Set(answers.map((tokens) => tokens.refresh_token))
    expect(successors.size).toBe(1)
    const [successor = ''] = successors
    await refreshed(successor)
    expect(await endOf(sid)).toEqual(LIVING)
  })

  it('a tab that is one or two refreshes behind the other stays logged in', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const chain = [refreshToken]
    for (let round = 0; round < 10; round++) {
      const tabs = [chain.at(-1), chain.at(-2), chain.at(-3)].filter((token) => token !== undefined)
      const answers = await Promise.all(tabs.map(async (token) => refreshed(token)))
      const [newest, ...earlier] = answers.map((tokens) => tokens.refresh_token)
      expect(earlier).toEqual([chain.at(-1), chain.at(-2)].slice(0, earlier.length))
      chain.push(newest ?? '')
    }
    expect(await endOf(sid)).toEqual(LIVING)
  })

  it('fifty uses of a token after its grace period revoke the session once', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    await refreshed(refreshToken)
    await ageRefreshes(auth, sid, 61)
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, async () => refresh(refreshToken)),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(AT_ONCE).fill(401))
    expect(await endOf(sid)).toEqual(STOLEN)
    const reuses = await auth.sql(
      `SELECT 1 FROM audit_events WHERE session_id = $1 AND kind = 'refresh_reuse'`,
      sid,
    )
    expect(reuses).toHaveLength(1)
  })
})
