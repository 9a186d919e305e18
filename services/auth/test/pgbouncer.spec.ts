import { runToEnd } from '@malipo/local/process'
import { freshDatabase } from '@malipo/testing/database'
import { type PgBouncer, pgBouncer, startPgBouncer } from '@malipo/testing/pgbouncer'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Auth, isValid, login, newUser, startAuth } from './auth.js'

/** The real PgBouncer with its stock configuration in transaction mode, between the service and its database. */

describe.skipIf(pgBouncer === undefined)('behind PgBouncer', () => {
  let bouncer: PgBouncer
  let replicas: readonly Auth[]

  beforeAll(async () => {
    bouncer = await startPgBouncer(inject('postgresUrl'), { pool_mode: 'transaction' })
    const { pathname } = new URL(await freshDatabase('auth'))
    const DATABASE_URL = bouncer.url(pathname.slice(1))
    await runToEnd({ name: 'auth', script: 'migrate', env: { DATABASE_URL } })
    replicas = await Promise.all([1, 2].map(() => startAuth({ DATABASE_URL })))
  })
  afterAll(async () => {
    await Promise.all((replicas ?? []).map((replica) => replica.close()))
    await bouncer?.stop()
  })

  it('registers, logs in, refreshes and validates on many server connections at once', async () => {
    const walk = async ({ client }: Auth) => {
      const user = await newUser(client)
      const { refresh_token } = await login(client, user)
      const { status, body } = await client.post('/api/auth/refresh', { refresh_token })
      return status === 200 && isValid(client, body.access_token as string)
    }
    const walks = Array.from({ length: 20 }, (_, i) => walk(replicas[i % 2] as Auth))
    expect(await Promise.all(walks)).toEqual(Array(20).fill(true))
  })
})
