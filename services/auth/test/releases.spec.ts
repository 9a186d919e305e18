import { readFileSync, writeFileSync } from 'node:fs'
import { freshDatabase, query } from '@malipo/testing/database'
import { dumpRelease, releasesIn, schemaOf } from '@malipo/testing/release'
import { expect, it, onTestFinished } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { keysOf } from './api-keys.js'
import {
  ageRefreshes,
  type Auth,
  isValid,
  login,
  newOperator,
  newSession,
  startAuth,
} from './auth.js'

/**
 * Upgrades the database of each release in `releases/`, with rows that the release wrote. These files never
 * change, since there are databases like them. To add those of a release, on its commit:
 *
 *     RELEASE=0.2.0 npx vitest run services/auth/test/releases.spec.ts
 */
const FOLDER = new URL('releases/', import.meta.url)
const { releases, added } = releasesIn(FOLDER)

/** What a release's users know, and what an operator has seen. */
interface Known {
  readonly user: { phone: string; email: string; password: string }
  readonly operator: Known['user']
  /** The session of the refresh tokens. */
  readonly sid: string
  readonly refreshToken: string
  /** Exchanged for `refreshToken` when the release ran. */
  readonly usedRefreshToken: string
  readonly loggedOutRefreshToken: string
  readonly audit: readonly object[]
}

async function started(databaseUrl?: string): Promise<Auth> {
  const auth = await startAuth(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl })
  onTestFinished(() => auth.close())
  return auth
}

const refresh = ({ client }: Auth, token: string) =>
  client.post('/api/auth/refresh', { refresh_token: token })

it.runIf(added)('writes the database of a new release', async () => {
  const auth = await started()
  const { user, sid, refreshToken: usedRefreshToken } = await newSession(auth.client)
  const { body } = await refresh(auth, usedRefreshToken)
  const { access_token: token, refresh_token: loggedOutRefreshToken } = await login(
    auth.client,
    user,
  )
  await auth.client.post('/api/auth/logout', {}, { token })
  await auth.client.post('/api/auth/login', { phone: user.phone, password: 'a wrong password' })
  const operator = await newOperator(auth, 'auth:admin')
  const known: Known = {
    user,
    operator: operator.user,
    sid,
    refreshToken: body.refresh_token as string,
    usedRefreshToken,
    loggedOutRefreshToken,
    audit: await auditTrail(auth, operator.token),
  }
  const sql = await dumpRelease(auth.databaseUrl, dataSource.migrations, [])
  writeFileSync(new URL(`${added}.sql`, FOLDER), sql)
  writeFileSync(new URL(`${added}.json`, FOLDER), `${JSON.stringify(known, null, 2)}\n`)
})

async function auditTrail({ client }: Auth, token: string): Promise<object[]> {
  const { status, body } = await client.get('/api/auth/audit?limit=100', { token })
  expect(status).toBe(200)
  return body.data as object[]
}

it.each(releases)('keeps the accounts and sessions of release %s', async (version) => {
  const known = readKnown(version)
  const auth = await started(await restored(version))
  expect((await refresh(auth, known.loggedOutRefreshToken)).status).toBe(401)
  expect((await refresh(auth, known.refreshToken)).status).toBe(200)
  await ageRefreshes(auth, known.sid, 3_600)
  expect((await refresh(auth, known.usedRefreshToken)).status).toBe(401)
  const { access_token: token } = await login(auth.client, known.user)
  const { phone, email } = known.user
  const profile = await auth.client.get('/api/auth/me', { token })
  expect(profile.body).toMatchObject({ phone, email })
  const { access_token: operatorToken } = await login(auth.client, known.operator)
  const trail = await auditTrail(auth, operatorToken)
  expect(trail.slice(-known.audit.length)).toMatchObject(known.audit)
})

it.each(releases)(
  'gives each user of release %s a merchant, which can have keys',
  async (version) => {
    const auth = await started(await restored(version))
    const users = await auth.sql('SELECT id, created_at FROM users ORDER BY id')
    expect(users.length).toBeGreaterThan(0)
    expect(await auth.sql('SELECT id, created_at FROM merchants ORDER BY id')).toEqual(users)
    const { access_token: token } = await login(auth.client, readKnown(version).user)
    const { key } = await keysOf(auth, token).newKey()
    expect(await isValid(auth.client, key)).toBe(true)
  },
)

it.each(releases)('gives a database of release %s the schema of a new one', async (version) => {
  const upgraded = await started(await restored(version))
  const other = await started()
  expect(await schemaOf(upgraded.databaseUrl)).toEqual(await schemaOf(other.databaseUrl))
})

async function restored(version: string): Promise<string> {
  const databaseUrl = await freshDatabase('auth')
  await query(databaseUrl, readFileSync(new URL(`${version}.sql`, FOLDER), 'utf8'))
  await query(databaseUrl, `SELECT setval('migrations_id_seq', max(id)) FROM migrations`)
  // The files outlive the sessions in them.
  await query(databaseUrl, `UPDATE sessions SET expires_at = now() + interval '1 day'`)
  return databaseUrl
}

function readKnown(version: string): Known {
  return JSON.parse(readFileSync(new URL(`${version}.json`, FOLDER), 'utf8')) as Known
}
