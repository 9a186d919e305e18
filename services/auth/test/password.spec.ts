import { setTimeout as sleep } from 'node:timers/promises'
import type { Run } from '@malipo/kit/postgres/database'
import { hash } from 'bcrypt'
import { Client } from 'pg'
import { v7 as uuidV7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newRefreshToken } from '../src/sessions/refresh-token.js'
import { openSession as openInDatabase } from '../src/sessions/sessions.store.js'
import { type Auth, isValid, login, newSession, openSession, startAuth } from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const NEXT = 'quite another pass phrase'

const change = (token: string, currentPassword: string, newPassword: string) =>
  auth.client.post('/api/auth/password', { currentPassword, newPassword }, { token })

const ascending = (a: number, b: number) => a - b

const attempt = async (phone: string, password: string) =>
  (await auth.client.post('/api/auth/login', { phone, password })).status

/** Returns the tokens that are still valid. */
async function validOf(tokens: (string | undefined)[]) {
  const valid = []
  for (const token of tokens) if (token && (await isValid(auth.client, token))) valid.push(token)
  return valid
}

describe('POST /api/auth/password', () => {
  it('changes the password and revokes the other sessions', async () => {
    const own = await newSession(auth.client)
    const others = [
      await openSession(auth.client, own.user),
      await openSession(auth.client, own.user),
    ]
    const stranger = await newSession(auth.client)
    const { status, body, headers } = await change(own.token, own.user.password, NEXT)
    expect([status, body]).toEqual([204, ''])
    expect(headers.get('password-strength')).toBe('4')
    expect(await isValid(auth.client, own.token)).toBe(true)
    expect(await isValid(auth.client, stranger.token)).toBe(true)
    for (const { token, refreshToken } of others) {
      expect(await isValid(auth.client, token)).toBe(false)
      const answer = await auth.client.post('/api/auth/refresh', { refresh_token: refreshToken })
      expect(answer.status).toBe(401)
    }
    const again = { refresh_token: own.refreshToken }
    expect((await auth.client.post('/api/auth/refresh', again)).status).toBe(200)
    expect(await attempt(own.user.phone, own.user.password)).toBe(401)
    expect(await attempt(own.user.phone, NEXT)).toBe(200)
    const events = await auth.sql(
      `SELECT kind, session_id, actor_id, detail FROM audit_events
       WHERE user_id = $1 AND kind IN ('password_change', 'revocation') ORDER BY id`,
      own.sub,
    )
    expect(events).toHaveLength(3)
    expect(events).toContainEqual({
      kind: 'password_change',
      session_id: own.sid,
      actor_id: own.sub,
      detail: {},
    })
    for (const { sid } of others) {
      expect(events).toContainEqual({
        kind: 'revocation',
        session_id: sid,
        actor_id: own.sub,
        detail: { cause: 'password' },
      })
    }
  })

  it('rejects a wrong current password, and rate-limits guesses', async () => {
    const { token, user } = await newSession(auth.client)
    const answer = await change(token, 'not this one', NEXT)
    expect([answer.status, answer.body.type]).toEqual([401, '/problems/wrong-credentials'])
    const statuses = []
    for (let i = 0; i < 10; i++) statuses.push((await change(token, `guess ${i}`, NEXT)).status)
    expect(statuses.slice(0, 2)).toEqual([401, 401])
    expect(statuses.at(-1)).toBe(429)
    expect((await change(token, user.password, NEXT)).status).toBe(429)
    expect(await isValid(auth.client, token)).toBe(true)
  })

  it.each([
    ['short', 'seven77', 'newPassword'],
    ['of more than 72 bytes', 'é'.repeat(37), 'newPassword'],
    ['among the commonest', 'password1', 'newPassword'],
    ['no text', 12_345_678, 'newPassword'],
  ])('rejects a new password that is %s', async (_, next, field) => {
    const { token, user } = await newSession(auth.client)
    const body = { currentPassword: user.password, newPassword: next }
    const answer = await auth.client.post('/api/auth/password', body, { token })
    expect(answer.status).toBe(400)
    expect(answer.body.errors).toEqual([{ field, message: expect.any(String) }])
    expect(await attempt(user.phone, user.password)).toBe(200)
  })

  it('accepts both passwords composed and decomposed', async () => {
    const { token, user } = await newSession(auth.client)
    const first = 'crème brûlée à la carte'
    expect((await change(token, user.password, first.normalize('NFD'))).status).toBe(204)
    expect(await attempt(user.phone, first.normalize('NFC'))).toBe(200)
    expect((await change(token, first.normalize('NFC'), 'naïve façade')).status).toBe(204)
    expect(await attempt(user.phone, 'naïve façade'.normalize('NFD'))).toBe(200)
    const same = await change(token, 'naïve façade', 'naïve façade'.normalize('NFD'))
    expect([same.status, same.body.errors[0].field]).toEqual([400, 'newPassword'])
  })

  it('rejects the current password as the new one', async () => {
    const { token, user } = await newSession(auth.client)
    const answer = await change(token, user.password, user.password)
    expect([answer.status, answer.body.errors[0].field]).toEqual([400, 'newPassword'])
  })

  it('needs a token, before validation', async () => {
    const answer = await auth.client.post('/api/auth/password', { currentPassword: 1 })
    expect([answer.status, answer.body.type]).toEqual([401, '/problems/unauthenticated'])
  })

  it('applies one of two concurrent changes', async () => {
    const { token, user } = await newSession(auth.client)
    const nexts = ['the first of two phrases', 'the second of two phrases']
    const answers = await Promise.all(nexts.map((next) => change(token, user.password, next)))
    expect(answers.map(({ status }) => status).toSorted(ascending)).toEqual([204, 401])
    const logins = await Promise.all(nexts.map((next) => attempt(user.phone, next)))
    expect(logins.toSorted(ascending)).toEqual([200, 401])
  })

  it('concurrent with logins leaves no session that was opened with the old password', async () => {
    for (let round = 0; round < 8; round++) {
      const own = await newSession(auth.client)
      const { phone, password } = own.user
      const logins = Array.from({ length: 6 }, () =>
        auth.client.post('/api/auth/login', { phone, password }),
      )
      const [changed, ...opened] = await Promise.all([change(own.token, password, NEXT), ...logins])
      expect(changed.status).toBe(204)
      const tokens = opened.map(({ body }) => body.access_token as string | undefined)
      expect(await validOf(tokens)).toEqual([])
      const living = await auth.sql(
        'SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL',
        own.sub,
      )
      expect(living).toEqual([{ id: own.sid }])
    }
  })

  it('waits for a concurrent login and revokes its session too', async () => {
    const own = await newSession(auth.client)
    const connection = new Client({ connectionString: auth.databaseUrl })
    await connection.connect()
    try {
      await connection.query('BEGIN')
      const id = uuidV7()
      const { hashes } = newRefreshToken()
      const origin = { address: null, userAgent: null }
      const session = {
        userId: own.sub,
        passwordVersion: 1,
        lifetimeSeconds: 60,
        deadline: '9999-12-31T00:00:00.000Z',
        limit: 20,
        origin,
      }
      const opening = { ...session, hashes, deviceTokenHash: hashes.own }
      const run: Run = async (statement, values) =>
        (await connection.query({ ...statement, values: [...values] })).rows
      expect(await openInDatabase(run, { id, ...opening })).toEqual({ scopes: null, evicted: [] })
      const changed = change(own.token, own.user.password, NEXT)
      await sleep(300)
      await connection.query('COMMIT')
      expect((await changed).status).toBe(204)
      const rows = await auth.sql(
        'SELECT revocation_cause AS cause FROM sessions WHERE id = $1',
        id,
      )
      expect(rows).toEqual([{ cause: 'password' }])
      // A login that verified the old password before the change must not open a session after it.
      await connection.query('BEGIN')
      expect(await openInDatabase(run, { id: uuidV7(), ...opening })).toBeUndefined()
    } finally {
      await connection.end()
    }
  })

  it('succeeds despite a concurrent rehash at another cost', async () => {
    const { token, user, sub } = await newSession(auth.client)
    const old = await hash(user.password, 5)
    await auth.sql('UPDATE users SET password_hash = $2 WHERE id = $1', sub, old)
    const [changed, opened] = await Promise.all([
      change(token, user.password, NEXT),
      login(auth.client, user).catch(() => undefined),
    ])
    expect(changed.status).toBe(204)
    expect(await validOf([opened?.access_token])).toEqual([])
    expect(await attempt(user.phone, NEXT)).toBe(200)
    expect(await attempt(user.phone, user.password)).toBe(401)
  })
})
