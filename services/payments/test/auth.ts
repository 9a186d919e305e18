import { runToEnd, type Service, startService } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { expect, inject } from 'vitest'

/** The real auth service, as a process of its own, and the people who log in to it. */

/** Long enough for HS256. */
export const JWT_SECRET = 'a secret of the tests, which nobody guesses'

/** The environment of an auth service; its hashes are as cheap as its mode allows. */
export function authEnvironment(own: Record<string, string | undefined>) {
  const MODE = own.MODE ?? 'sandbox'
  const BCRYPT_COST = MODE === 'live' ? '10' : '4'
  return { MODE, BCRYPT_COST, JWT_SECRET, LOG_LEVEL: 'warn', ...own }
}

/** Starts an auth service on an empty or an older database. */
export async function startAuth(own: Record<string, string | undefined>): Promise<Service> {
  const env = authEnvironment(own)
  await runToEnd({ name: 'auth', script: 'migrate', env })
  return startService({ name: 'auth', env })
}

/** Someone with an account, logged in. */
export interface User {
  readonly id: string
  readonly phone: string
  readonly email: string
  readonly password: string
  readonly token: string
}

/** Registers someone new and logs them in. */
export async function newUser(authUrl = inject('authUrl')): Promise<User> {
  const digits = Array.from({ length: 8 }, () => Math.floor(Math.random() * 10)).join('')
  const person = {
    phone: `+2567${digits}`,
    email: `person${digits}@example.com`,
    password: `words that nobody guesses ${digits}`,
  }
  const { status, body } = await new Client(authUrl).post('/api/auth/register', person)
  expect(status).toBe(201)
  return { ...person, id: body.id as string, token: await login(person, authUrl) }
}

/** A new token. */
export async function login(
  { phone, password }: Pick<User, 'phone' | 'password'>,
  authUrl = inject('authUrl'),
): Promise<string> {
  const { status, body } = await new Client(authUrl).post('/api/auth/login', { phone, password })
  expect(status).toBe(200)
  return body.access_token as string
}

/** Gives scopes by the operator's command, and the token that has them. */
export async function grant(user: User, scopes: string, mode: 'sandbox' | 'live'): Promise<User> {
  const isLive = mode === 'live'
  const env = authEnvironment({
    MODE: mode,
    DATABASE_URL: inject(isLive ? 'liveAuthDatabaseUrl' : 'authDatabaseUrl'),
  })
  const args = ['--phone', user.phone, '--grant', scopes]
  await runToEnd({ name: 'auth', script: 'operator', args, env })
  return { ...user, token: await login(user, inject(isLive ? 'liveAuthUrl' : 'authUrl')) }
}
