import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import type { Migrated } from '@malipo/kit/postgres/migrate'
import { freshDatabase, query } from '@malipo/testing/database'
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm'
import { expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { type Auth, environment, login, newUser, startAuth } from './auth.js'

/**
 * Upgrades a database of an earlier release, with data that this release wrote, and starts the current
 * service on it. The migrations and statements of a release never change: production has already run them.
 */
interface Release {
  readonly version: string
  readonly migrations: readonly string[]
  /** SQL that inserts data as the release wrote it. */
  readonly data: string
  /** Assertions that must hold after the upgrade. */
  readonly expectations: (auth: Auth) => Promise<void>
}

const PASSWORD = 'words of the first release'

/** There is no release yet. The current schema stands in for the first one, so that the test runs. */
const RELEASES: readonly Release[] = [
  {
    version: 'unreleased',
    migrations: ['Initial1767225600000'],
    data: `
      INSERT INTO users (id, phone, email, password_hash, scopes)
      VALUES ('019aa0a0-0000-7000-8000-000000000001', '+256772123456', 'amina@example.com',
              '$2b$04$ahSVQM1iABD5v01stNUTveC0XjTSXifO/Wk66UubembGQ9VQLCVg2', '{payments:read}')`,
    expectations: async ({ client }) => {
      const user = { phone: '+256772123456', password: PASSWORD, email: '' }
      const { access_token: token } = await login(client, user)
      const { body } = await client.get('/api/auth/validate', { token })
      expect(body).toMatchObject({ valid: true, payload: { scope: 'payments:read' } })
    },
  },
]

it.each(RELEASES)('upgrades a database of release $version', async (release) => {
  const DATABASE_URL = await freshDatabase('auth')
  await install(release, DATABASE_URL)
  const auth = await startAuth({ DATABASE_URL })
  try {
    await release.expectations(auth)
  } finally {
    await auth.close()
  }
})

async function install(release: Release, databaseUrl: string) {
  const migrations = dataSource.migrations.filter(({ name }) => release.migrations.includes(name))
  expect(migrations.map(({ name }) => name)).toEqual(release.migrations)
  await runMigrations(databaseUrl, migrations)
  await query(databaseUrl, release.data)
}

async function runMigrations(databaseUrl: string, migrations: Migrated['migrations']) {
  const env = readEnv(environment({ DATABASE_URL: databaseUrl }))
  const source = new DataSource(dataSourceOptions(env, { ...dataSource, migrations }))
  await (await source.initialize()).runMigrations({ transaction: 'each' })
  await source.destroy()
}

/** A migration of a later release that changes the types of columns, which prepared statements return. */
class Widening9999999999998 implements MigrationInterface {
  name = 'Widening9999999999998'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE users ALTER COLUMN password_hash TYPE varchar(200), ALTER COLUMN email TYPE varchar(300)`)
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
      return [status, validation.status, validation.body.valid]
    }
    const rounds = () => Promise.all(Array.from({ length: 6 }, all))
    await rounds()
    await runMigrations(auth.databaseUrl, [...dataSource.migrations, Widening9999999999998])
    for (const round of await rounds()) expect(round).toEqual([200, 200, true])
    const { body: metrics } = await auth.client.get('/metrics')
    expect(metrics).toMatch(/^db_retries_total\{verdict="not_applied"\} [1-9]/m)
  } finally {
    await auth.close()
  }
})
