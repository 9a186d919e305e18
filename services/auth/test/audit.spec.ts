import { readFileSync } from 'node:fs'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, newOperator, newPerson, newSession, newUser, startAuth } from './auth.js'

const APPEND_ONLY = { constraint: 'audit_events_are_append_only' }

let auth: Auth
let token: string
beforeAll(async () => {
  auth = await startAuth()
  token = (await newOperator(auth, 'auth:admin')).token
})
afterAll(() => auth.close())

interface Event {
  id: string
  at: string
  kind: string
  userId: string | null
  sessionId: string | null
  detail: object
}

async function list(query: Record<string, string> = {}) {
  const path = `/api/auth/audit?${new URLSearchParams(query).toString()}`
  const { status, body } = await auth.client.get(path, { token })
  expect(status).toBe(200)
  return body as { data: Event[]; nextCursor: string | null }
}

const kinds = async (userId: string) =>
  (await list({ userId })).data.map(({ kind }) => kind).toReversed()

describe('the audit trail', () => {
  it('lists a registration, a login, a failed login and a logout with actor and origin', async () => {
    const { user, sub, sid, token: own } = await newSession(auth.client)
    await auth.client.post('/api/auth/login', { phone: user.phone, password: 'not this one' })
    await auth.client.send('POST', '/api/auth/logout', { token: own })
    const { data } = await list({ userId: sub })
    const base = {
      id: expect.any(String),
      at: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
      userId: sub,
      actorId: sub,
      sessionId: null,
      address: '127.0.0.1',
      userAgent: 'node',
      detail: {},
    }
    expect(data.toReversed()).toEqual([
      { ...base, kind: 'registration' },
      { ...base, kind: 'login', sessionId: sid },
      { ...base, kind: 'login_failure', actorId: null },
      {
        ...base,
        kind: 'revocation',
        sessionId: sid,
        address: null,
        userAgent: null,
        detail: { cause: 'logout' },
      },
    ])
  })

  it('lists a failed login of an unknown phone, without the phone', async () => {
    const { phone } = newPerson()
    await auth.client.post(
      '/api/auth/login',
      { phone, password: 'not this one' },
      { headers: { 'user-agent': `agent of ${phone}`.slice(0, 9) } },
    )
    const { data } = await list({ kind: 'login_failure', limit: '1' })
    expect(data).toMatchObject([{ kind: 'login_failure', userId: null, actorId: null }])
    const all = await auth.sql<{ text: string }>(
      'SELECT audit_events::text AS text FROM audit_events',
    )
    expect(JSON.stringify(all)).not.toContain(phone.slice(4))
  })

  it('has no event of a rejected request', async () => {
    const { id, ...person } = await newUser(auth.client)
    await auth.client.post('/api/auth/register', person)
    await auth.client.post('/api/auth/login', { phone: person.phone, password: 'a'.repeat(73) })
    expect(await kinds(id)).toEqual(['registration'])
  })

  it('is paged newest first, without gaps or duplicates', async () => {
    const { sub, user } = await newSession(auth.client)
    for (let i = 0; i < 8; i++) {
      await auth.client.post('/api/auth/login', { phone: user.phone, password: `guess ${i}` })
    }
    const whole = await list({ userId: sub })
    expect(whole.data).toHaveLength(10)
    expect(whole.nextCursor).toBeNull()
    const found: Event[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof list>> = await list({
        userId: sub,
        limit: '4',
        ...(cursor && { cursor }),
      })
      found.push(...page.data)
      cursor = page.nextCursor
    } while (cursor)
    expect(found).toEqual(whole.data)
    const times = found.map(({ at }) => Date.parse(at))
    expect(times).toEqual(times.toSorted((a, b) => b - a))
  })

  it('is filtered by kind and by time', async () => {
    const { sub } = await newSession(auth.client)
    expect((await list({ userId: sub, kind: 'login' })).data).toMatchObject([{ kind: 'login' }])
    const [{ at } = { at: '' }] = (await list({ userId: sub, kind: 'login' })).data
    const after = new Date(Date.parse(at) + 1000).toISOString()
    const before = new Date(Date.parse(at) - 10_000).toISOString()
    expect((await list({ userId: sub, from: after })).data).toEqual([])
    expect((await list({ userId: sub, to: before })).data).toEqual([])
    expect((await list({ userId: sub, from: before, to: after })).data).toHaveLength(2)
    const unencoded = `userId=${sub}&from=${before.slice(0, -1)}+00:00&to=${after}`
    const { body } = await auth.client.get(`/api/auth/audit?${unencoded}`, { token })
    expect(body.data).toHaveLength(2)
  })

  it.each([
    ['kind', 'everything'],
    ['userId', '1'],
    ['from', 'yesterday'],
    ['from', '2026-W01'],
    ['to', '2026-02-30T00:00:00Z'],
    ['limit', '0'],
    ['limit', '101'],
    ['limit', 'all'],
    ['cursor', 'x'],
    ['phone', '+256772123456'],
  ])('rejects %s=%s', async (field, value) => {
    const query = new URLSearchParams({ [field]: value }).toString()
    const answer = await auth.client.get(`/api/auth/audit?${query}`, { token })
    expect(answer.status).toBe(400)
    expect(answer.body.errors).toEqual([{ field, message: expect.any(String) }])
  })

  it('needs auth:admin', async () => {
    const others = await newOperator(auth, 'payments:admin')
    const none = await auth.client.get('/api/auth/audit')
    const refused = await auth.client.get('/api/auth/audit', { token: others.token })
    expect([none.status, refused.status]).toEqual([401, 403])
  })

  it.each([
    ['changed', `UPDATE audit_events SET kind = 'login'`],
    ['deleted', 'DELETE FROM audit_events'],
    ['emptied', 'TRUNCATE audit_events'],
  ])('cannot be %s by SQL', async (_, sql) => {
    await expect(auth.sql(sql)).rejects.toMatchObject(APPEND_ONLY)
  })

  describe('with malipo.retention on', () => {
    const retention = "SET LOCAL malipo.retention = 'on'; "

    it('allows a deletion by the owner of the table', async () => {
      const client = new Client({ connectionString: auth.databaseUrl })
      await client.connect()
      try {
        await client.query(`BEGIN; ${retention} DELETE FROM audit_events`)
        expect((await client.query('SELECT 1 FROM audit_events')).rows).toEqual([])
      } finally {
        await client.end()
      }
    })

    it.each([
      ['an update', `UPDATE audit_events SET kind = 'login'`],
      ['a truncation', 'TRUNCATE audit_events'],
    ])('rejects %s', async (_, sql) => {
      await expect(auth.sql(retention + sql)).rejects.toMatchObject(APPEND_ONLY)
    })

    it('rejects a deletion by a role that has only the right to delete', async () => {
      const sql = `CREATE ROLE app; GRANT DELETE, SELECT ON audit_events TO app; SET LOCAL ROLE app; DELETE FROM audit_events`
      await expect(auth.sql(retention + sql)).rejects.toMatchObject(APPEND_ONLY)
    })
  })
})

describe('the metrics', () => {
  async function counts() {
    const { body } = await auth.client.get('/metrics')
    const lines = (body as string)
      .split('\n')
      .filter((line) => /^(logins|regis|refr|revocations_total|scope_ch|password_ch)/.test(line))
    return new Map(
      lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])] as const),
    )
  }

  it('include the version', async () => {
    const about = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
    const { version } = JSON.parse(about) as { version: string }
    const { body } = await auth.client.get('/metrics')
    expect(body).toContain(`build_info{version="${version}",`)
  })

  it('count the same events by outcome, without personal data', async () => {
    const before = await counts()
    const { user, token: own, refreshToken } = await newSession(auth.client)
    const { phone } = user
    await auth.client.post('/api/auth/register', { ...newPerson(), phone })
    await auth.client.post('/api/auth/login', { phone, password: 'not this one' })
    for (let i = 0; i < 2; i++) {
      await auth.client.post('/api/auth/refresh', { refresh_token: refreshToken })
    }
    await auth.client.post('/api/auth/refresh', { refresh_token: 'x' })
    await auth.client.post(
      '/api/auth/password',
      { currentPassword: 'x', newPassword: 'a new phrase' },
      { token: own },
    )
    await auth.client.send('POST', '/api/auth/logout', { token: own })
    await auth.client.post('/api/auth/refresh', { refresh_token: refreshToken })
    const thief = await newSession(auth.client)
    await auth.client.post('/api/auth/refresh', { refresh_token: thief.refreshToken.slice(0, 43) })
    const after = await counts()
    const grown = [...after].flatMap(([name, value]) => {
      const by = value - (before.get(name) ?? NaN)
      return by === 0 ? [] : [`${name} ${by}`]
    })
    expect(grown.toSorted()).toEqual([
      'logins_total{outcome="ok"} 2',
      'logins_total{outcome="wrong"} 1',
      'password_changes_total{outcome="wrong"} 1',
      'refreshes_total{outcome="rejected"} 2',
      'refreshes_total{outcome="repeated"} 1',
      'refreshes_total{outcome="reused"} 1',
      'refreshes_total{outcome="rotated"} 1',
      'registrations_total{outcome="created"} 2',
      'registrations_total{outcome="taken"} 1',
      'revocations_total{cause="logout"} 1',
      'revocations_total{cause="refresh_reuse"} 1',
    ])
    const { body } = await auth.client.get('/metrics')
    for (const secret of [phone, user.email, thief.sub, thief.sid, '127.0.0.1']) {
      expect(body).not.toContain(secret)
    }
  })
})
