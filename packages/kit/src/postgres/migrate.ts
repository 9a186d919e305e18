import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type QueryRunner } from 'typeorm'
import { dataSourceOptions, type EntitiesAndMigrations } from './pool-options.js'
import { ConfigurationError, type DatabaseEnv, readMigrationEnv } from '../config/env.js'
import { grant, type Rights } from './grant.js'
import { createLogger, type Logger } from '../telemetry/logger.js'
import { retryVerdict } from './retry.js'

/** Any number, the same in every release: the advisory lock that migrations of one database take. */
const LOCK = 4_711_000
const ASK_AGAIN_MS = 200
const WAIT_FOR_DATABASE_MS = 120_000

/** What a service's migrations work with: `rights` are those of the role that the service runs as. */
export interface Migrated extends EntitiesAndMigrations {
  readonly rights: Rights
}

/**
 * Runs the pending migrations and ends: each in a transaction, all under a session's advisory lock, so
 * that of several replicas that start at once one migrates and the others find nothing to do. Then the
 * service's own role, where it is another than the one that migrates, gets its rights and no others.
 */
export async function migrate(name: string, own: Migrated) {
  try {
    const env = readMigrationEnv()
    const log = createLogger(name, env.LOG_LEVEL)
    const source = await connected(new DataSource(migrationOptions(env, own)), log)
    await underLock(source, async () => {
      const done = await source.runMigrations({ transaction: 'each' })
      if (env.DB_SERVICE_ROLE) await grant(source, env.DB_SERVICE_ROLE, own.rights)
      log.info({ migrations: done.map((each) => each.name) }, 'the database is up to date')
    })
  } catch (error) {
    const lines = error instanceof ConfigurationError ? error.lines : [String(error)]
    for (const line of lines) process.stderr.write(`migrate: ${line}\n`)
    process.exitCode = 1
  }
}

/** A migration may take longer than a request's statement, and a second connection holds the lock. */
function migrationOptions(env: DatabaseEnv, own: EntitiesAndMigrations) {
  const options = dataSourceOptions(env, own)
  const unlimited = {
    statement_timeout: 0,
    idle_in_transaction_session_timeout: 0,
  }
  return { ...options, extra: { ...options.extra, ...unlimited, max: 2 } } as typeof options
}

async function connected(source: DataSource, log: Logger): Promise<DataSource> {
  for (const deadline = Date.now() + WAIT_FOR_DATABASE_MS; ; await sleep(500)) {
    try {
      return await source.initialize()
    } catch (error) {
      if (retryVerdict(error, 'connecting') !== 'not_applied' || Date.now() > deadline) throw error
      log.info('waiting for the database')
    }
  }
}

async function underLock(source: DataSource, work: () => Promise<void>) {
  const lock = source.createQueryRunner()
  try {
    await taken(lock)
    await work()
  } finally {
    await lock.release()
    await source.destroy()
  }
}

/**
 * By asking again and again: a statement that waits for the lock would itself be waited for by an index that
 * the holder builds concurrently, and neither would end.
 */
async function taken(lock: QueryRunner) {
  for (;;) {
    const [row] = (await lock.query('SELECT pg_try_advisory_lock($1) AS taken', [LOCK])) as [
      { taken: boolean },
    ]
    if (row.taken) return
    await sleep(ASK_AGAIN_MS)
  }
}
