import { hash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Postgres, startPostgres } from '@malipo/local/postgres'
import { runToEnd } from '@malipo/local/process'
import { freshDatabase, query } from '@malipo/testing/database'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newMerchant } from './api-keys.js'
import {
  type Auth,
  environment,
  isValid,
  login,
  newOperator,
  newPerson,
  newSession,
  newUser,
  openSession,
  startAuth,
} from './auth.js'

/**
 * The proxy holds a statement until its request was answered with 503, and delivers it after another write, like a
 * server that was frozen, or a network without packets.
 */

const DB_WAIT_MS = '3000'

let folder: string
let postgres: Postgres
let proxy: Proxy
let auth: Auth
let database: string
let statement = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'malipo-auth-late-'))
  postgres = await startPostgres({ dataDir: join(folder, 'postgres'), databases: [] })
  proxy = await startProxy(postgres.port, (data) => statement !== '' && data.includes(statement))
  const address = new URL(await freshDatabase('auth', postgres.url('postgres')))
  address.port = String(proxy.port)
  database = address.pathname.slice(1)
  auth = await startAuth({ DATABASE_URL: address.href, DB_WAIT_MS })
})
afterAll(async () => {
  await auth.close()
  await proxy.close()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Sends a request whose statement is not delivered before `proxy.release`. */
async function timedOut(
  name: string,
  request: () => Promise<{ status: number; headers: Headers }>,
) {
  statement = name
  proxy.holdNextRequest()
  const { status, headers } = await request()
  expect(status).toBe(503)
  expect(headers.get('retry-after')).toBe('2')
}

const refresh = (token: string) => auth.client.post('/api/auth/refresh', { refresh_token: token })

const scopesOf = async (id: string) =>
  (await auth.sql<{ scopes: string[] }>('SELECT scopes FROM users WHERE id = $1', id))[0]?.scopes

describe('a committed refresh whose response is lost', () => {
  it('answers the retry that its 503 asks for with the stored successor', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const current = async () => {
      const sql = `SELECT encode(current_token_hash, 'hex') AS hash FROM sessions WHERE id = $1`
      const [row] = await query<{ hash: string }>(postgres.url(database), sql, [sid])
      return row?.hash
    }
    const before = await current()
    proxy.slow(3_600_000)
    const { status, headers } = await refresh(refreshToken)
    expect(status).toBe(503)
    const stored = await current()
    expect(stored).not.toBe(before)
    await sleep(Number(headers.get('retry-after')) * 1000)
    proxy.slow(0)
    const answer = await refresh(refreshToken)
    expect(answer.status).toBe(200)
    const successor = answer.body.refresh_token as string
    expect(hash('sha256', successor.slice(43), 'hex')).toBe(stored)
    expect((await refresh(successor)).status).toBe(200)
    expect(await auth.sql(`SELECT FROM audit_events WHERE kind = 'refresh_reuse'`)).toEqual([])
  })
})

describe('a late statement', () => {
  it('of a refresh does not replace the successor that the client has received', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    await timedOut('refresh_token_rotate', () => refresh(refreshToken))
    const { status, body } = await refresh(refreshToken)
    expect(status).toBe(200)
    await proxy.release()
    expect((await refresh(refreshToken)).body.refresh_token).toBe(body.refresh_token)
    expect((await refresh(body.refresh_token as string)).status).toBe(200)
    expect(
      await auth.sql('SELECT FROM sessions WHERE id = $1 AND revoked_at IS NULL', sid),
    ).toEqual([{}])
  })

  it('of a login opens no session, and evicts none', async () => {
    const user = await newUser(auth.client)
    const first = await openSession(auth.client, user)
    for (let i = 2; i < 20; i++) await openSession(auth.client, user)
    await timedOut('session_open', () =>
      auth.client.post('/api/auth/login', { phone: user.phone, password: user.password }),
    )
    await openSession(auth.client, user)
    await proxy.release()
    expect(await isValid(auth.client, first.token)).toBe(true)
    expect(await auth.sql('SELECT FROM sessions WHERE user_id = $1', user.id)).toHaveLength(20)
  })

  it('of a registration does not replace the account', async () => {
    const person = newPerson()
    await timedOut('user_insert', () => auth.client.post('/api/auth/register', person))
    const again = { ...person, password: 'another phrase of uncommon words' }
    expect((await auth.client.post('/api/auth/register', again)).status).toBe(201)
    await proxy.release()
    await login(auth.client, again)
  })

  it('of a password change does not replace a newer password', async () => {
    const { user, token } = await newSession(auth.client)
    const change = (newPassword: string) =>
      auth.client.post(
        '/api/auth/password',
        { currentPassword: user.password, newPassword },
        { token },
      )
    await timedOut('password_change', () => change('the first uncommon phrase'))
    expect((await change('the second uncommon phrase')).status).toBe(204)
    await proxy.release()
    await login(auth.client, { ...user, password: 'the second uncommon phrase' })
  })

  it('of a change of scopes does not undo a newer one', async () => {
    const { token } = await newOperator(auth, 'auth:admin')
    const { sub } = await newSession(auth.client)
    const put = (...scopes: string[]) =>
      auth.client.send('PUT', `/api/auth/users/${sub}/scopes`, { token, body: { scopes } })
    expect((await put('payments:read')).status).toBe(200)
    await timedOut('scopes_set', () => put('payments:read', 'payments:settle'))
    expect((await put('payments:read', 'payments:write')).status).toBe(200)
    expect((await put('payments:read')).status).toBe(200)
    await proxy.release()
    expect(await scopesOf(sub)).toEqual(['payments:read'])
  })

  it('of the operator command does not grant what was removed', async () => {
    const { token } = await newOperator(auth, 'auth:admin')
    const user = await newUser(auth.client)
    const put = (...scopes: string[]) =>
      auth.client.send('PUT', `/api/auth/users/${user.id}/scopes`, { token, body: { scopes } })
    statement = 'scopes_grant'
    proxy.holdNextRequest()
    const args = ['--phone', user.phone, '--grant', 'auth:admin']
    const env = environment({ DATABASE_URL: auth.databaseUrl, DB_WAIT_MS })
    await expect(runToEnd({ name: 'auth', script: 'cli/operator', args, env })).rejects.toThrow(
      'unavailable',
    )
    expect((await put('payments:read')).status).toBe(200)
    await proxy.release()
    expect(await scopesOf(user.id)).toEqual(['payments:read'])
  })

  it('of a new key creates none, and of a rotation replaces none that the client has', async () => {
    const merchant = await newMerchant(auth)
    await timedOut('key_create', () => merchant.create())
    const old = await merchant.newKey()
    await proxy.release()
    expect((await merchant.list()).body.data).toHaveLength(1)

    await timedOut('key_rotate', () => merchant.rotate(old.id))
    const next = await merchant.rotated(old.id)
    await proxy.release()
    for (const { key } of [old, next]) expect(await isValid(auth.client, key)).toBe(true)
    expect((await merchant.list()).body.data).toHaveLength(2)
  })

  it('of a logout revokes its session, and changes no earlier revocation', async () => {
    const [other, own] = [await newSession(auth.client), await newSession(auth.client)]
    const logout = (token: string) => auth.client.send('POST', '/api/auth/logout', { token })
    await timedOut('session_revoke', () => logout(other.token))
    await proxy.release()
    expect(await isValid(auth.client, other.token)).toBe(false)

    await timedOut('session_revoke', () => logout(own.token))
    expect((await logout(own.token)).status).toBe(204)
    const revoked = () => auth.sql('SELECT revoked_at FROM sessions WHERE id = $1', own.sid)
    const before = await revoked()
    await proxy.release()
    expect(await revoked()).toEqual(before)
  })
})
