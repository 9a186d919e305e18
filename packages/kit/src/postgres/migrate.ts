import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type QueryRunner } from 'typeorm'
import { ConfigurationError } from '../config/env.js'
import { readMigrationEnv } from '../config/migration-env.js'
import type { DatabaseEnv } from '../config/variables.js'
import { createLogger, type Logger } from '../telemetry/logger.js'
import { dataSourceOptions, type EntitiesAndMigrations } from './pool-options.js'
import { retryVerdict, sqlStateOf } from './retry.js'

/** The key of the advisory lock for migrations: an arbitrary number that must not change between releases. */
const LOCK = 4_711_000

/** How long to wait for the database, and for a session that an earlier run left behind. */
const CONNECT_MS = 120_000
const ROLE_MS = 60_000

const LOCK_NOT_AVAILABLE = '55P03'

/** `UPDATE (…)` is limited to these columns. */
type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | `UPDATE (${string})` | 'DELETE'
type Privileges = Readonly<Record<string, readonly Privilege[]>>

export interface Migrated extends EntitiesAndMigrations {
  /** The privileges of the service's role, by table. The role can't access tables that are not listed. */
  readonly rights: Privileges
}

/**
 * Runs each pending migration in a transaction, then grants the service's role its privileges. An advisory
 * lock ensures that only one of several replicas migrates at a time.
 */
export async function migrate(name: string, own: Migrated) {
  try {
    const env = readMigrationEnv()
    const log = createLogger(name, env.LOG_LEVEL)
    const source = await connect(new DataSource(migrationOptions(env, own)), log)
    await withLock(source, async () => {
      const applied = await retryUpdates(log, () => source.runMigrations({ transaction: 'each' }))
      if (env.DB_SERVICE_ROLE) {
        const role = env.DB_SERVICE_ROLE
        const isOwner = await isCurrentRole(source, role, log)
        if (!isOwner) await retryUpdates(log, () => grant(source, role, own.rights))
      }
      log.info({ migrations: applied.map((each) => each.name) }, 'the database is up to date')
    })
  } catch (error) {
    const lines = error instanceof ConfigurationError ? error.lines : [String(error)]
    for (const line of lines) process.stderr.write(`migrate: ${line}\n`)
    process.exitCode = 1
  }
}

/** Removes the timeouts for requests: migrations may take longer. The lock takes a second connection. */
function migrationOptions(env: DatabaseEnv, own: EntitiesAndMigrations) {
  const unlimited = { statement_timeout: 0, idle_in_transaction_session_timeout: 0 }
  return dataSourceOptions({ ...env, DB_POOL_MAX: 2 }, own, unlimited)
}

/** Waits for the database, whose role or password may be created later. Logs each new cause at once. */
async function connect(source: DataSource, log: Logger): Promise<DataSource> {
  let logged = ''
  for (const deadline = performance.now() + CONNECT_MS; ; await sleep(500)) {
    try {
      return await source.initialize()
    } catch (error) {
      const isRetryable = retryVerdict(error, 'connecting') === 'not_applied'
      if (!isRetryable || performance.now() > deadline) throw error
      if (logged !== String(error)) log.warn({ err: error }, 'waiting for the database')
      logged = String(error)
    }
  }
}

/**
 * Repeats work that fails because the catalog was updated concurrently: after a migrator was killed, PostgreSQL may
 * still execute its CREATE INDEX CONCURRENTLY or its GRANT. It also repeats work that waited for a lock longer than
 * requests may: they wait behind it. Each migration is a transaction, or can be repeated.
 */
async function retryUpdates<T>(log: Logger, work: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + CONNECT_MS; ; await sleep(500)) {
    try {
      return await work()
    } catch (error) {
      const isRetryable = isConcurrentUpdate(error) || sqlStateOf(error) === LOCK_NOT_AVAILABLE
      if (!isRetryable || performance.now() > deadline) throw error
      log.warn({ err: error }, 'another session uses the same table: trying again')
    }
  }
}

/** Compares the function that fails, because the code (internal_error) is general and the message localized. */
function isConcurrentUpdate(error: unknown): boolean {
  const { code, routine } = error as { code?: unknown; routine?: unknown }
  return code === 'XX000' && /^simple_heap_(?:update|delete)$/.test(String(routine))
}

/**
 * Holds the lock by a transaction, because a pooler in transaction mode has no sessions. The transaction has no
 * snapshot between statements, so CREATE INDEX CONCURRENTLY does not wait for it. With a parameter, the portal of
 * the statement would hold its snapshot until the transaction ends.
 */
async function withLock(source: DataSource, work: () => Promise<void>) {
  const runner = source.createQueryRunner()
  try {
    await runner.startTransaction('READ COMMITTED')
    await runner.query('SET LOCAL idle_in_transaction_session_timeout = 0')
    // Polls: the lock holder's CREATE INDEX CONCURRENTLY would wait for a statement that waits for the lock.
    while (!(await tryLock(runner))) await sleep(200)
    await work()
    await runner.commitTransaction()
  } finally {
    await runner.release()
    await source.destroy()
  }
}

async function tryLock(runner: QueryRunner): Promise<boolean> {
  const statement = `SELECT pg_try_advisory_xact_lock(${LOCK}) AS acquired`
  const [{ acquired }] = (await runner.query(statement)) as [{ acquired: boolean }]
  return acquired
}

/**
 * Grants `role` exactly these privileges in one transaction, so that a running service never lacks one. Tables that are
 * not listed keep theirs: after a rollback, replicas of the later release still use its tables until they stop. The role
 * that runs the migrations owns the tables and needs no grants.
 */
async function grant(source: DataSource, role: string, privileges: Privileges): Promise<void> {
  await source.transaction(async (transaction) => {
    const name = source.driver.escape(role)
    await transaction.query(`GRANT USAGE ON SCHEMA public TO ${name}`)
    for (const [table, granted] of Object.entries({ ...privileges, migrations: ['SELECT'] })) {
      const escaped = source.driver.escape(table)
      await transaction.query(`REVOKE ALL ON ${escaped} FROM ${name}`)
      await transaction.query(`GRANT ${granted.join(', ')} ON ${escaped} TO ${name}`)
    }
  })
}

/** Waits until `role` exists: a Kubernetes operator may create it before or after the database. */
async function isCurrentRole(source: DataSource, role: string, log: Logger): Promise<boolean> {
  let isLogged = false
  const missing = `Role ${role} does not exist: create it, or unset DB_SERVICE_ROLE`
  for (const deadline = performance.now() + ROLE_MS; ; await sleep(500)) {
    const [row] = await source.query<{ isCurrent: boolean }[]>(
      'SELECT rolname = current_user AS "isCurrent" FROM pg_roles WHERE rolname = $1',
      [role],
    )
    if (row) return row.isCurrent
    if (performance.now() > deadline) throw new Error(missing)
    if (!isLogged) log.warn(missing)
    isLogged = true
  }
}
