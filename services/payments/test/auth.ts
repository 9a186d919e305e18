import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runToEnd, type Service, startService } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { expect, inject } from 'vitest'

/** Starts the real auth service in its own process, and logs users in to it. */

/** Long enough for HS256. */
export const JWT_SECRET = 'a secret of the tests with 32 characters or more'

const REFRESH_KEYS_FILE = join(mkdtempSync(join(tmpdir(), 'malipo-refresh-keys-')), 'refresh-keys')
writeFileSync(REFRESH_KEYS_FILE, JWT_SECRET)

/** The environment of an auth service, with the lowest bcrypt cost that `MODE` allows. */
export function authEnvironment(overrides: Record<string, string | undefined>) {
  const MODE = overrides.MODE ?? 'sandbox'
  const BCRYPT_COST = MODE === 'live' ? '10' : '4'
  const secrets = { JWT_SECRET, REFRESH_KEYS_FILE }
  return { MODE, BCRYPT_COST, ...secrets, LOG_LEVEL: 'warn', ...overrides }
}

/** Migrates the database and starts an auth service on it. */
export async function startAuth(overrides: Record<string, string | undefined>): Promise<Service> {
  const env = authEnvironment(overrides)
  await runToEnd({ name: 'auth', script: 'migrate', env })
  return startService({ name: 'auth', env })
}

/** A registered user with an access token. */
export interface User {
  readonly id: string
  readonly phone: string
  readonly email: string
  readonly password: string
  readonly token: string
}

/** Registers a user and logs in. */
export async function newUser(authUrl = inject('authUrl')): Promise<User> {
  const digits = Array.from({ length: 8 }, () => Math.floor(Math.random() * 10)).join('')
  const account = {
    phone: `+2567${digits}`,
    email: `user${digits}@example.com`,
    password: `an uncommon password ${digits}`,
  }
  const { status, body } = await new Client(authUrl).post('/api/auth/register', account)
  expect(status).toBe(201)
  return { ...account, id: body.id as string, token: await login(account, authUrl) }
}

/** Logs in and returns the access token. */
export async function login(
  { phone, password }: Pick<User, 'phone' | 'password'>,
  authUrl = inject('authUrl'),
): Promise<string> {
  const { status, body } = await new Client(authUrl).post('/api/auth/login', { phone, password })
  expect(status).toBe(200)
  return body.access_token as string
}

/** Grants scopes with the operator command, and logs in again to get a token with these scopes. */
export async function grant(user: User, scopes: string, mode: 'sandbox' | 'live'): Promise<User> {
  const isLive = mode === 'live'
  const env = authEnvironment({
    MODE: mode,
    DATABASE_URL: inject(isLive ? 'liveAuthDatabaseUrl' : 'authDatabaseUrl'),
  })
  const args = ['--phone', user.phone, '--grant', scopes]
  await runToEnd({ name: 'auth', script: 'cli/operator', args, env })
  return { ...user, token: await login(user, inject(isLive ? 'liveAuthUrl' : 'authUrl')) }
}
