import { dataSourceOptions } from '@malipo/kit/postgres/connection'
import { freshDatabase, query } from '@malipo/testing/database'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { OWN } from '../src/data-source.js'
import { readAuthEnv } from '../src/env.js'
import { type Auth, environment, login, startAuth } from './auth.js'

/** A database of the last release, with what that release wrote, after this release's migrations. */

/** The migrations that were in 0.1.0: never changed again, for they have run. */
const LAST_RELEASE = ['UsersAndSessions1767225600000']

/** Frozen, as 0.1.0 wrote it: an account, and an operator. */
const WRITTEN = `
INSERT INTO users (id, phone, email, password_hash, scopes) VALUES
  ('019aa0a0-0000-7000-8000-000000000001', '+256772123456', 'amina@example.com',
   '$2b$04$ahSVQM1iABD5v01stNUTveC0XjTSXifO/Wk66UubembGQ9VQLCVg2', NULL),
  ('019aa0a0-0000-7000-8000-000000000002', '+256772123457', 'ops@example.com',
   '$2b$04$ahSVQM1iABD5v01stNUTveC0XjTSXifO/Wk66UubembGQ9VQLCVg2',
   '{payments:read,payments:write,payments:admin}');
INSERT INTO sessions (id, user_id, refresh_token_hash, expires_at) VALUES
  ('019aa0a1-0000-7000-8000-000000000001', '019aa0a0-0000-7000-8000-000000000001',
   sha256('a refresh token of the last release'), now() + interval '30 days'),
  ('019aa0a1-0000-7000-8000-000000000002', '019aa0a0-0000-7000-8000-000000000001',
   sha256('Jm1hVvTVrfmmI0yEXTUbnRlBlcwGTuXYvPjqWOv6JrE'), now() + interval '30 days');
`
const REFRESH_TOKEN = 'Jm1hVvTVrfmmI0yEXTUbnRlBlcwGTuXYvPjqWOv6JrE'

/** The statement by which 0.1.0 opens a session. */
const LAST_INSERT_SESSION = `
    INSERT INTO sessions (id, user_id, refresh_token_hash, created_at, expires_at)
    VALUES ($1, $2, sha256('one more'), now(), now() + make_interval(secs => 2592000))
    ON CONFLICT ON CONSTRAINT sessions_pkey DO NOTHING`
const PASSWORD = 'words of the first release'

let auth: Auth
beforeAll(async () => {
  const DATABASE_URL = await freshDatabase('auth')
  const env = readAuthEnv(environment({ DATABASE_URL }))
  const migrations = OWN.migrations.filter(({ name }) => LAST_RELEASE.includes(name))
  const source = new DataSource(dataSourceOptions(env, { ...OWN, migrations }))
  await (await source.initialize()).runMigrations({ transaction: 'each' })
  await source.destroy()
  await query(DATABASE_URL, WRITTEN)
  auth = await startAuth({ DATABASE_URL })
})
afterAll(() => auth.close())

it.each([
  ['an account', '+256772123456', 'payments:read payments:write payments:settle'],
  ['an operator', '+256772123457', 'payments:read payments:write payments:admin'],
])('%s of the last release logs in with what it may do', async (_who, phone, scope) => {
  const { access_token: token } = await login(auth.client, { phone, password: PASSWORD, email: '' })
  const { body } = await auth.client.get('/api/auth/validate', { token })
  expect(body).toMatchObject({ valid: true, payload: { phone, scope } })
})

it('refreshes a session that the last release opened', async () => {
  const refresh = (token: string) => auth.client.post('/api/auth/refresh', { refresh_token: token })
  const { status, body } = await refresh(REFRESH_TOKEN)
  expect(status).toBe(200)
  const token = body.access_token as string
  expect((await auth.client.get('/api/auth/validate', { token })).body.valid).toBe(true)
  expect((await refresh(body.refresh_token as string)).status).toBe(200)
  expect((await refresh(REFRESH_TOKEN)).status).toBe(401)
  expect((await auth.client.get('/api/auth/validate', { token })).body.valid).toBe(false)
})

it('takes what the last release goes on to write beside this one', async () => {
  const id = '019aa0a1-0000-7000-8000-000000000009'
  await auth.sql(LAST_INSERT_SESSION, id, '019aa0a0-0000-7000-8000-000000000002')
  const phone = '+256772123457'
  const { access_token: token } = await login(auth.client, { phone, password: PASSWORD, email: '' })
  const { body } = await auth.client.get('/api/auth/sessions', { token })
  expect(body.data).toContainEqual(expect.objectContaining({ id, userAgent: null, address: null }))
  const ended = await auth.client.send('DELETE', `/api/auth/sessions/${id}`, { token })
  expect(ended.status).toBe(204)
})

it('keeps the sessions that were open', async () => {
  const id = '019aa0a1-0000-7000-8000-000000000001'
  expect(await auth.sql('SELECT id FROM sessions WHERE id = $1 AND ended_at IS NULL', id)).toEqual([
    { id },
  ])
})
