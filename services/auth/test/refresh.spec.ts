import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseRefreshToken } from '../src/sessions/refresh-token.js'
import { type Auth, claimsOf, isValid, newSession, openSession, startAuth } from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const refresh = (token: string) => auth.client.post('/api/auth/refresh', { refresh_token: token })

async function refreshed(token: string) {
  const { status, body } = await refresh(token)
  expect(status).toBe(200)
  return body as { access_token: string; refresh_token: string }
}

/** Moves a session's last refresh into the past. */
const age = (sid: string, seconds: number) =>
  auth.sql(
    `UPDATE sessions SET rotated_at = rotated_at - make_interval(secs => $2) WHERE id = $1`,
    sid,
    seconds,
  )

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
  it('returns new tokens of the same session, and invalidates the old refresh token', async () => {
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
  it('is valid again within 10 s if its successor is unused, which becomes invalid', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const { refresh_token: lost } = await refreshed(refreshToken)
    await age(sid, 9)
    const { refresh_token: found } = await refreshed(refreshToken)
    expect(found).not.toBe(lost)
    await refreshed(found)
    expect(await endOf(sid)).toEqual(LIVING)
  })

  it('has a grace period that reuse does not extend', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    await refreshed(refreshToken)
    await age(sid, 6)
    await refreshed(refreshToken)
    await age(sid, 6)
    await expectRefused(refreshToken)
    expect(await endOf(sid)).toEqual(STOLEN)
  })

  it.each<[string, (first: string, sid: string) => Promise<string>]>([
    [
      'after 10 s',
      async (first, sid) => {
        await refreshed(first)
        await age(sid, 10)
        return first
      },
    ],
    [
      'once its successor was used',
      async (first) => {
        const { refresh_token: second } = await refreshed(first)
        await refreshed(second)
        return first
      },
    ],
    [
      'long ago',
      async (first) => {
        let token = first
        for (let i = 0; i < 4; i++) ({ refresh_token: token } = await refreshed(token))
        return first
      },
    ],
    [
      'as a successor that reuse replaced',
      async (first) => {
        const { refresh_token: replaced } = await refreshed(first)
        await refreshed(first)
        return replaced
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
})

describe('concurrent refreshes', () => {
  const AT_ONCE = 50

  it('fifty uses of one token leave one valid successor', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, async () => refresh(refreshToken)),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(AT_ONCE).fill(200))
    const successors = answers.map(({ body }) => body.refresh_token as string)
    expect(new Set(successors).size).toBe(AT_ONCE)
    const [row] = await auth.sql<{ hash: Buffer }>(
      'SELECT current_token_hash AS hash FROM sessions WHERE id = $1',
      sid,
    )
    const good = successors.filter((token) =>
      parseRefreshToken(token)?.hashes.own.equals(row?.hash ?? Buffer.alloc(0)),
    )
    expect(good).toHaveLength(1)
    await refreshed(good[0] ?? '')
    // The other successors are no longer valid, so a request with one counts as reuse.
    await expectRefused(successors.find((token) => token !== good[0]) ?? '')
    expect(await endOf(sid)).toEqual(STOLEN)
  })

  it('of fifty successors at most one is accepted, and the session is revoked', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const first = await Promise.all(
      Array.from({ length: AT_ONCE }, async () => refreshed(refreshToken)),
    )
    const second = await Promise.all(first.map(async (tokens) => refresh(tokens.refresh_token)))
    const taken = second.filter(({ status }) => status === 200)
    expect(taken.length).toBeLessThanOrEqual(1)
    expect(await endOf(sid)).toEqual(STOLEN)
    for (const { body } of taken) await expectRefused(body.refresh_token as string)
    const reuses = await auth.sql(
      `SELECT 1 FROM audit_events WHERE session_id = $1 AND kind = 'refresh_reuse'`,
      sid,
    )
    expect(reuses).toHaveLength(1)
  })
})
