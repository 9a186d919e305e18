import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { freshDatabase, query } from '@malipo/testing/database'
import { DataSource } from 'typeorm'
import { expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { type Auth, environment, login, startAuth } from './auth.js'

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
  const env = readEnv(environment({ DATABASE_URL: databaseUrl }))
  const migrations = dataSource.migrations.filter(({ name }) => release.migrations.includes(name))
  expect(migrations.map(({ name }) => name)).toEqual(release.migrations)
  const source = new DataSource(dataSourceOptions(env, { ...dataSource, migrations }))
  await (await source.initialize()).runMigrations({ transaction: 'each' })
  await source.destroy()
  await query(databaseUrl, release.data)
}
