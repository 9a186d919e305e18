import type { DataSource, DataSourceOptions } from 'typeorm'
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js'
import { databaseSettings } from '../config/database-settings.js'
import type { DatabaseEnv } from '../config/variables.js'
import type { DatabaseClient } from './database-client.js'
import { DatabasePool } from './database-pool.js'
import { stableTypes } from './result-types.js'
import { openSession, type SessionLimits } from './session.js'

export type EntitiesAndMigrations = Pick<DataSourceOptions, 'entities' | 'migrations'>

/** PostgreSQL enforces this limit, except on a COMMIT that waits for a standby. */
const STATEMENT_TIMEOUT_MS = 5_000
/** The client's limit, longer than PostgreSQL's because PostgreSQL's own error is more informative. */
export const QUERY_TIMEOUT_MS = 6_000

/** The limits of requests. */
function limitsOf({ DB_WAIT_MS }: DatabaseEnv): SessionLimits {
  return {
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // A locked row fails the whole batch. Half of `DB_WAIT_MS` remains to retry its calls one by one.
    lock_timeout: Math.max(1, Math.min(1_000, Math.floor(DB_WAIT_MS / 2))),
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
  }
}

/** TypeORM's options for the database of `env`; `extra` is passed to the pool. */
export function dataSourceOptions(
  env: DatabaseEnv,
  own: EntitiesAndMigrations,
  changedLimits: Partial<SessionLimits> = {},
): DataSourceOptions {
  const { host, port, username, name, password, ssl, applicationName, options } =
    databaseSettings(env)
  const limits = { ...limitsOf(env), ...changedLimits }
  return {
    type: 'postgres',
    driver: { Pool: DatabasePool },
    entities: own.entities,
    migrations: own.migrations,
    synchronize: false,
    installExtensions: false,
    host,
    port,
    username,
    database: name,
    ...(applicationName === undefined ? {} : { applicationName }),
    extra: {
      password,
      // Set even without TLS, because pg would otherwise read PGSSLMODE.
      ssl,
      ...(options === undefined ? {} : { options }),
      max: env.DB_POOL_MAX,
      keepAlive: true,
      types: stableTypes,
      // An idle connection whose peer has vanished is closed after this and ten probes, one a second (libuv).
      keepAliveInitialDelayMillis: 10_000,
      onConnect: async (client: DatabaseClient) => {
        watchCommits(client)
        await openSession(client, limits)
      },
    },
  }
}

/** The pool that TypeORM and `query.ts` share; it exists once TypeORM has connected. */
export function poolOf(dataSource: DataSource): DatabasePool {
  return driverOf(dataSource).master
}

export function driverOf({ driver }: DataSource): PostgresDriver {
  return driver as PostgresDriver
}

/** Connections whose last commit may be missing on the synchronous standby. */
const uncertain = new WeakSet<object>()

/** Marks a connection whose commit stopped waiting for the standby: PostgreSQL reports it as successful. */
function watchCommits(client: DatabaseClient) {
  client.on('notice', (notice) => {
    // Matches the function in syncrep.c that warns, because the warning's text depends on the locale.
    if (notice.routine === 'SyncRepWaitForLSN') uncertain.add(client)
  })
  // The pool handles `error` only on idle connections. Without a listener, `error` ends the process.
  client.on('error', () => undefined)
}

/** Returns whether the connection's last commit may be missing on the standby, and clears the mark. */
export function takeUncertainCommit(client: object): boolean {
  return uncertain.delete(client)
}
