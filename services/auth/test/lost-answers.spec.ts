import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Postgres, startPostgres } from '@malipo/local/postgres'
import { freshDatabase } from '@malipo/testing/database'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newMerchant } from './api-keys.js'
import {
  type Auth,
  isValid,
  newOperator,
  newPerson,
  newSession,
  openSession,
  startAuth,
} from './auth.js'

/** The proxy closes the connection after PostgreSQL commits and before its result reaches auth. */

let folder: string
let postgres: Postgres
let proxy: Proxy
let auth: Auth
let statement = ''
let lost = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'malipo-auth-lost-'))
  postgres = await startPostgres({ dataDir: join(folder, 'postgres'), databases: [] })
  proxy = await startProxy(postgres.port, (data) => {
    const matches = statement !== '' && data.includes(statement)
    if (matches) lost++
    return matches
  })
  const address = new URL(await freshDatabase('auth', postgres.url('postgres')))
  address.port = String(proxy.port)
  auth = await startAuth({ DATABASE_URL: address.href })
})
afterAll(async () => {
  await auth.close()
  await proxy.close()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(() => {
  statement = ''
  lost = 0
})

function lose(name: string) {
  statement = name
  proxy.loseNextAnswer()
}

const events = (kind: string, sid: string) =>
  auth.sql('SELECT 1 FROM audit_events WHERE kind = $1 AND session_id = $2', kind, sid)

const pending = () => auth.sql('SELECT 1 FROM revocation_outbox')

const refresh = (token: string) => auth.client.post('/api/auth/refresh', { refresh_token: token })

describe('a lost result', () => {
  it('of a registration: one account, one event', async () => {
    const person = newPerson()
    lose('user_insert')
    const { status, body } = await auth.client.post('/api/auth/register', person)
    expect([status, lost]).toEqual([201, 1])
    const rows = await auth.sql(
      `SELECT 1 FROM audit_events WHERE kind = 'registration' AND user_id = $1`,
      body.id,
    )
    expect(rows).toHaveLength(1)
  })

  it('of a login: one session, one event', async () => {
    const { user } = await newSession(auth.client)
    lose('session_open')
    const { token, sid, sub } = await openSession(auth.client, user)
    expect(lost).toBe(1)
    expect(await isValid(auth.client, token)).toBe(true)
    expect(await events('login', sid)).toHaveLength(1)
    expect(await auth.sql('SELECT 1 FROM sessions WHERE user_id = $1', sub)).toHaveLength(2)
  })

  it('of a login beyond the limit of sessions: one session revoked and published', async () => {
    const { user, sub } = await newSession(auth.client)
    for (let i = 1; i < 20; i++) await openSession(auth.client, user)
    lose('session_open')
    const { sid } = await openSession(auth.client, user)
    expect(lost).toBe(1)
    const active = await auth.sql<{ id: string }>(
      'SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL',
      sub,
    )
    expect(active).toHaveLength(20)
    expect(active).toContainEqual({ id: sid })
    await expect.poll(pending, { timeout: 10_000 }).toEqual([])
  })

  it('of a new key: one key, which the client gets', async () => {
    const merchant = await newMerchant(auth)
    lose('key_create')
    const { key } = await merchant.newKey()
    expect(lost).toBe(1)
    expect(await isValid(auth.client, key)).toBe(true)
    expect((await merchant.list()).body.data).toHaveLength(1)
    expect(await events('key_creation', merchant.sid)).toHaveLength(1)
  })

  it('of a rotation: one new key, which the client gets, and the old one', async () => {
    const merchant = await newMerchant(auth)
    const old = await merchant.newKey()
    lose('key_rotate')
    const { key } = await merchant.rotated(old.id)
    expect(lost).toBe(1)
    expect(await isValid(auth.client, key)).toBe(true)
    expect(await isValid(auth.client, old.key)).toBe(true)
    expect((await merchant.list()).body.data).toHaveLength(2)
    expect(await events('key_rotation', merchant.sid)).toHaveLength(1)
  })

  it('of a failed login: one event', async () => {
    const { user, sub } = await newSession(auth.client)
    lose('login_failure_insert')
    const { status } = await auth.client.post('/api/auth/login', {
      phone: user.phone,
      password: 'not this one',
    })
    expect([status, lost]).toEqual([401, 1])
    const rows = await auth.sql(
      `SELECT 1 FROM audit_events WHERE kind = 'login_failure' AND user_id = $1`,
      sub,
    )
    expect(rows).toHaveLength(1)
  })

  it('of a refund of an attempt: refunded once', async () => {
    const { user } = await newSession(auth.client)
    const remaining = async (password: string) => {
      const { headers } = await auth.client.post('/api/auth/login', { phone: user.phone, password })
      return /r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
    }
    expect(await remaining('not this one')).toBe('9')
    lose('login_attempt_refund')
    await openSession(auth.client, user)
    expect(lost).toBe(1)
    expect(await remaining('nor this one')).toBe('8')
  })

  it('of a refresh: the returned token is the only successor', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    lose('refresh_token_rotate')
    const { status, body } = await refresh(refreshToken)
    expect([status, lost]).toEqual([200, 1])
    expect((await refresh(refreshToken)).body.refresh_token).toBe(body.refresh_token)
    expect((await refresh(body.refresh_token as string)).status).toBe(200)
    expect(await events('refresh_reuse', sid)).toEqual([])
  })

  it.each(['refresh_token_rotate', 'reused_session_revoke'])(
    'of %s, for a forged token: 401, revoked once',
    async (name) => {
      const { refreshToken, sid } = await newSession(auth.client)
      lose(name)
      const { status } = await refresh(refreshToken.slice(0, 43))
      expect([status, lost]).toEqual([401, 1])
      expect(await events('refresh_reuse', sid)).toHaveLength(1)
      expect(await events('revocation', sid)).toHaveLength(1)
      await expect.poll(pending, { timeout: 10_000 }).toEqual([])
    },
  )

  it('of a logout: 204, revoked once', async () => {
    const { token, sid } = await newSession(auth.client)
    lose('session_revoke')
    const { status } = await auth.client.send('POST', '/api/auth/logout', { token })
    expect([status, lost]).toEqual([204, 1])
    expect(await events('revocation', sid)).toHaveLength(1)
  })

  it('of a password change: 204, changed once, other sessions revoked and published', async () => {
    const own = await newSession(auth.client)
    const other = await openSession(auth.client, own.user)
    lose('password_change')
    const body = { currentPassword: own.user.password, newPassword: 'quite another phrase' }
    const { status } = await auth.client.post('/api/auth/password', body, { token: own.token })
    expect([status, lost]).toEqual([204, 1])
    expect(await events('password_change', own.sid)).toHaveLength(1)
    expect(await isValid(auth.client, other.token)).toBe(false)
    await expect.poll(pending, { timeout: 10_000 }).toEqual([])
  })

  it('of a removed scope: 200, applied once, sessions revoked and published', async () => {
    const operator = await newOperator(auth, 'auth:admin')
    const { sub, sid, token } = await newSession(auth.client)
    lose('scopes_set')
    const path = `/api/auth/users/${sub}/scopes`
    const body = { scopes: ['payments:read'] }
    const { status } = await auth.client.send('PUT', path, { token: operator.token, body })
    expect([status, lost]).toEqual([200, 1])
    const grants = await auth.sql(
      `SELECT 1 FROM audit_events WHERE kind = 'grant' AND user_id = $1`,
      sub,
    )
    expect(grants).toHaveLength(1)
    expect(await events('revocation', sid)).toHaveLength(1)
    expect(await isValid(auth.client, token)).toBe(false)
    await expect.poll(pending, { timeout: 10_000 }).toEqual([])
  })
})
