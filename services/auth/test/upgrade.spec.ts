import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import type { Migrated } from '@malipo/kit/postgres/migrate'
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm'
import { expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { environment, newUser, startAuth } from './auth.js'

async function runMigrations(databaseUrl: string, migrations: Migrated['migrations']) {
  const env = readEnv(environment({ DATABASE_URL: databaseUrl }))
  const source = new DataSource(dataSourceOptions(env, { ...dataSource, migrations }))
  await (await source.initialize()).runMigrations({ transaction: 'each' })
  await source.destroy()
}

/** A migration of a later release that changes the types of columns that statements return or triggers read. */
class LaterRelease9999999999998 implements MigrationInterface {
  name = 'LaterRelease9999999999998'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE users ALTER COLUMN password_hash TYPE varchar(200), ALTER COLUMN email TYPE varchar(300);
      ALTER TABLE sessions ALTER COLUMN revocation_cause TYPE varchar(20)`)
  }

  async down(): Promise<void> {}
}

it('serves every request while a later migration changes the types of columns', async () => {
  const auth = await startAuth({ DB_BATCH_MAX: '1' })
  try {
    const user = await newUser(auth.client)
    const { phone, password } = user
    const all = async () => {
      const { status, body } = await auth.client.post('/api/auth/login', { phone, password })
      const token = body.access_token as string
      const validation = await auth.client.get('/api/auth/validate', { token })
      const logout = await auth.client.post('/api/auth/logout', undefined, { token })
      return [status, validation.status, validation.body.valid, logout.status]
    }
    const rounds = () => Promise.all(Array.from({ length: 6 }, all))
    await rounds()
    await runMigrations(auth.databaseUrl, [...dataSource.migrations, LaterRelease9999999999998])
    for (const round of await rounds()) expect(round).toEqual([200, 200, true, 204])
    const { body: metrics } = await auth.client.get('/metrics')
    expect(metrics).toMatch(/^db_retries_total\{verdict="not_applied"\} [1-9]/m)
  } finally {
    await auth.close()
  }
})
