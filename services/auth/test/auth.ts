import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '@malipo/kit/bootstrap'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { Client } from '@malipo/testing/client'
import type {} from '@malipo/testing/global-setup'
import { freshDatabase, query } from '@malipo/testing/database'
import { DataSource } from 'typeorm'
import { expect, inject, vi } from 'vitest'
import { AppModule } from '../src/app.module.js'
import { dataSource } from '../src/data-source.js'
import { type Env, readEnv } from '../src/env.js'

/** A running service with a client of its API and direct access to its database. */
export interface Auth {
  client: Client
  databaseUrl: string
  sql: <Row extends object>(text: string, ...values: unknown[]) => Promise<Row[]>
  close(): Promise<void>
}

export const SECRET = 'a secret of the tests, long enough for HS256'

/** Writes refresh keys to a new file, one per line. */
export function refreshKeysFile(...keys: string[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'malipo-refresh-keys-')), 'refresh-keys')
  writeFileSync(path, keys.join('\n'))
  return path
}

const REFRESH_KEYS_FILE = refreshKeysFile('a refresh key of the tests, long enough for HMAC')

/** The environment of the service in tests: the lowest hashing cost, and no log. */
export function environment(own: Record<string, string | undefined> = {}) {
  return {
    MODE: 'sandbox',
    JWT_SECRET: SECRET,
    BCRYPT_COST: '4',
    LOG_LEVEL: 'silent',
    REFRESH_KEYS_FILE,
    REDIS_URL: inject('redisUrl'),
    ...own,
  }
}

/** Starts the service in this process, on a new database unless `DATABASE_URL` names one. */
export async function startAuth(own: Record<string, string | undefined> = {}): Promise<Auth> {
  const databaseUrl = own.DATABASE_URL ?? (await freshDatabase('auth'))
  const env = readEnv(environment({ ...own, DATABASE_URL: databaseUrl }))
  await migrate(env)
  const app = await createApp(AppModule, env)
  await app.listen(0, '127.0.0.1')
  const client = new Client(await app.getUrl())
  await untilReady(client)
  return {
    client,
    databaseUrl,
    sql: (text, ...values) => query(databaseUrl, text, values),
    close: () => app.close(),
  }
}

async function migrate(env: Env) {
  const source = await new DataSource(dataSourceOptions(env, dataSource)).initialize()
  await source.runMigrations()
  await source.destroy()
}

/** Resolves when the service has reached its database. */
export function untilReady(client: Client) {
  return vi.waitFor(async () => expect((await client.get('/health/ready')).status).toBe(200), {
    timeout: 10_000,
  })
}

/** An unregistered person with a unique phone and email. */
export function newPerson() {
  const digits = Array.from({ length: 8 }, () => Math.floor(Math.random() * 10)).join('')
  return {
    phone: `+2567${digits}`,
    email: `person${digits}@example.com`,
    password: `a phrase of uncommon words ${digits}`,
  }
}

export type Person = ReturnType<typeof newPerson>

/** A registered user. */
export async function newUser(client: Client): Promise<Person & { id: string }> {
  const person = newPerson()
  const { status, body } = await client.post('/api/auth/register', person)
  expect(status).toBe(201)
  return { ...person, id: body.id as string }
}

/** Logs a user in; the test fails if the login does. */
export async function login(client: Client, { phone, password }: Person) {
  const { status, body } = await client.post('/api/auth/login', { phone, password })
  expect(status).toBe(200)
  return body as {
    access_token: string
    refresh_token: string
    device_token: string
    expires_in: number
  }
}

/** Registers a user and opens a session; includes the claims of its token. */
export async function newSession(client: Client) {
  const user = await newUser(client)
  return { user, ...(await openSession(client, user)) }
}

/** Opens another session of a user. */
export async function openSession(client: Client, user: Person) {
  const { access_token: token, refresh_token: refreshToken } = await login(client, user)
  return { token, refreshToken, ...claimsOf(token) }
}

/** Decodes the claims of a token without verifying it. */
export function claimsOf(token: string) {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: string
    sid: string
    jti: string
    scope: string
    iat: number
    exp: number
  }
  return claims
}

/** Whether auth validates a token. */
export async function isValid(client: Client, token: string): Promise<boolean> {
  const { status, body } = await client.get('/api/auth/validate', { token })
  expect(status).toBe(200)
  return body.valid as boolean
}

/** Opens a session of a new user whose `scopes` are granted directly in the database. */
export async function newOperator(auth: Auth, ...scopes: string[]) {
  const user = await newUser(auth.client)
  await auth.sql('UPDATE users SET scopes = $2 WHERE id = $1', user.id, scopes)
  return { user, ...(await openSession(auth.client, user)) }
}

/** Moves all refreshes of a session into the past. */
export async function ageRefreshes(auth: Auth, sid: string, seconds: number) {
  await auth.sql(
    `UPDATE sessions
     SET predecessors = (
       SELECT coalesce(jsonb_object_agg(token, item || jsonb_build_object(
         'usedAt', (item ->> 'usedAt')::timestamptz - make_interval(secs => $2))), '{}')
       FROM jsonb_each(predecessors) AS each (token, item)
     )
     WHERE id = $1`,
    sid,
    seconds,
  )
}
