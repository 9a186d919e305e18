import { DataSource } from 'typeorm'
import { setTimeout as sleep } from 'node:timers/promises'
import { dataSourceOptions, type EntitiesAndMigrations } from './database.js'
import { ConfigurationError, type DatabaseEnv, readMigrationEnv } from './env.js'
import { createLogger, type Pino } from './logger.js'
import { fateOf } from './retry.js'

/** Any number, the same in every release: the advisory lock that migrations of one database take. */
const LOCK = 4_711_000
const WAIT_FOR_DATABASE_MS = 120_000

/**
 * Runs the pending migrations and ends: each in a transaction, all under a session's advisory lock, so
 * that of several replicas that start at once one migrates and the others find nothing to do.
 */
export async function migrate(name: string, own: EntitiesAndMigrations) {
  try {
    const env = readMigrationEnv()
    const log = createLogger(name, env.LOG_LEVEL)
    await runMigrations(await connected(new DataSource(migrationOptions(env, own)), log), log)
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
    query_timeout: 0,
    idle_in_transaction_session_timeout: 0,
  }
  return { ...options, extra: { ...options.extra, ...unlimited, max: 2 } } as typeof options
}

async function connected(source: DataSource, log: Pino): Promise<DataSource> {
  for (const deadline = Date.now() + WAIT_FOR_DATABASE_MS; ; await sleep(500)) {
    try {
      return await source.initialize()
    } catch (error) {
      if (fateOf(error, 'connecting') !== 'refused' || Date.now() > deadline) throw error
      log.info('waiting for the database')
    }
  }
}

async function runMigrations(source: DataSource, log: Pino) {
  const lock = source.createQueryRunner()
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [LOCK])
    const done = await source.runMigrations({ transaction: 'each' })
    log.info({ migrations: done.map((migration) => migration.name) }, 'the database is up to date')
  } finally {
    await lock.release()
    await source.destroy()
  }
}
