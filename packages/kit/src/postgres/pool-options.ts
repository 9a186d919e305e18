import pg, { type Client, type Pool } from 'pg'
import type { DataSource, DataSourceOptions } from 'typeorm'
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js'
import { readSecret, tlsOptions } from '../config/credentials.js'
import type { DatabaseEnv } from '../config/variables.js'

export type EntitiesAndMigrations = Pick<DataSourceOptions, 'entities' | 'migrations'>

/** Enforced by PostgreSQL, except for a COMMIT that waits for a standby. */
const STATEMENT_TIMEOUT_MS = 5_000
/** How long the client waits for a result: longer, because the error of PostgreSQL says more. */
export const QUERY_TIMEOUT_MS = 6_000

/** TypeORM's options for the database of `env`; `extra` is passed to the pool. */
export function dataSourceOptions(env: DatabaseEnv, own: EntitiesAndMigrations): DataSourceOptions {
  return {
    type: 'postgres',
    driver: pg,
    entities: own.entities,
    migrations: own.migrations,
    synchronize: false,
    installExtensions: false,
    ...(env.DATABASE_URL
      ? { url: env.DATABASE_URL }
      : { host: env.DB_HOST, port: env.DB_PORT, username: env.DB_USERNAME, database: env.DB_NAME }),
    extra: {
      ...(env.DATABASE_URL
        ? {}
        : { password: () => readSecret(env.DB_PASSWORD, env.DB_PASSWORD_FILE) }),
      ...(env.DB_SSL || env.DB_SSL_CA_FILE ? { ssl: tlsOptions(env.DB_SSL_CA_FILE) } : {}),
      max: env.DB_POOL_MAX,
      connectionTimeoutMillis: 3_000,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      // A locked row fails its batch. Half of `DB_WAIT_MS` is left to retry the calls unbatched.
      lock_timeout: Math.max(1, Math.min(1_000, Math.floor(env.DB_WAIT_MS / 2))),
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
      onConnect: watchCommits,
    },
  }
}

/** The pool that TypeORM's queries and our statements share; it exists once TypeORM has connected. */
export function poolOf(dataSource: DataSource): Pool {
  return driverOf(dataSource).master
}

export function driverOf({ driver }: DataSource): PostgresDriver {
  return driver as PostgresDriver
}

/** Connections whose last commit may be missing on the synchronous standby. */
const uncertain = new WeakSet<object>()

/** Marks a connection when its wait for the standby is cancelled, which PostgreSQL reports as success. */
function watchCommits(client: Client) {
  client.on('notice', (notice) => {
    // The function in syncrep.c that warns; the warning's text depends on the locale.
    if (notice.routine === 'SyncRepWaitForLSN') uncertain.add(client)
  })
  // The pool listens only while a connection is idle. Without a listener, `error` ends the process.
  client.on('error', () => undefined)
}

/** Whether the last commit on this connection may be missing on the standby. Clears the mark. */
export function takeUncertainCommit(client: object): boolean {
  return uncertain.delete(client)
}
