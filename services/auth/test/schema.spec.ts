import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { type Auth, environment, newUser, startAuth } from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

describe('the schema', () => {
  it('of the migrations matches the entities', async () => {
    const env = readEnv(environment({ DATABASE_URL: auth.databaseUrl }))
    const source = await new DataSource(dataSourceOptions(env, dataSource)).initialize()
    try {
      const { upQueries } = await source.driver.createSchemaBuilder().log()
      // The entities do not declare check constraints, so differences in these are ignored.
      const checks = await auth.sql<{ name: string }>(
        `SELECT conname AS name FROM pg_constraint WHERE contype = 'c'`,
      )
      const drift = upQueries
        .map(({ query }) => query)
        .filter((sql) => !checks.some(({ name }) => sql.endsWith(`DROP CONSTRAINT "${name}"`)))
      expect(drift).toEqual([])
    } finally {
      await source.destroy()
    }
  })

  it.each([
    ['phone', '0772123456', 'users_phone_is_e164'],
    ['email', 'Amina@example.com', 'users_email_is_normal'],
    ['email', 'a\u2003b@example.com', 'users_email_is_normal'],
    ['email', 'nin\u0303o@example.com', 'users_email_is_normal'],
    ['password_hash', 'not a hash', 'users_password_hash_is_bcrypt'],
    ['scopes', [null], 'users_scopes_have_no_null'],
  ])('rejects a malformed %s', async (column, value, constraint) => {
    const { id } = await newUser(auth.client)
    await expect(
      auth.sql(`UPDATE users SET ${column} = $2 WHERE id = $1`, id, value),
    ).rejects.toMatchObject({ constraint })
  })
})
