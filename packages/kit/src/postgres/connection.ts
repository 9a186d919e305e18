import { readFileSync } from 'node:fs'
import { Client } from 'pg'
import type { DataSourceOptions } from 'typeorm'
import { type DatabaseEnv, readSecret } from '../config/env.js'

/** How connections to a service's PostgreSQL are made, and what is watched on each. */

export type EntitiesAndMigrations = Pick<DataSourceOptions, 'entities' | 'migrations'>

/** Server-side limit of a statement, and ours on its answer: a commit has none but ours. */
const STATEMENT_TIMEOUT_MS = 5_000
export const QUERY_TIMEOUT_MS = 6_000
/**
 * A row that someone holds must not hold those who share a statement with who waits for it: they go on alone,
 * in what is left of their time.
 */
const lockTimeoutMs = ({ DB_WAIT_MS }: DatabaseEnv) =>
  Math.max(1, Math.min(1_000, Math.floor(DB_WAIT_MS / 2)))
const CONNECT_TIMEOUT_MS = 3_000

/** TypeORM's options for the database that the environment names. */
export function dataSourceOptions(env: DatabaseEnv, own: EntitiesAndMigrations): DataSourceOptions {
  return {
    type: 'postgres',
    entities: own.entities,
    migrations: own.migrations,
    synchronize: false,
    installExtensions: false,
    ...(env.DATABASE_URL
      ? { url: env.DATABASE_URL }
      : { host: env.DB_HOST, port: env.DB_PORT, username: env.DB_USERNAME, database: env.DB_NAME }),
    extra: {
      // Read for each new connection, so that a rotated password needs no restart.
      ...(env.DATABASE_URL
        ? {}
        : { password: () => readSecret(env.DB_PASSWORD, env.DB_PASSWORD_FILE) }),
      ...(env.DB_SSL || env.DB_SSL_CA_FILE ? { ssl: tls(env.DB_SSL_CA_FILE) } : {}),
      max: env.DB_POOL_MAX,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: lockTimeoutMs(env),
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
      Client: TimeoutClient,
      onConnect: watch,
    },
  }
}

/**
 * A connection that is cut when something asked by a text alone, as TypeORM asks, has no answer in time. With pg's
 * `query_timeout` TypeORM would give it back to the pool, to keep others waiting for the same answer. Our
 * statements have a limit of their own (`statement.ts`).
 */
class TimeoutClient extends Client {
  // pg's types know seven ways to call it.
  override query(...args: never[]): never {
    const ask = super.query.bind(this) as (...own: unknown[]) => unknown
    if (typeof args[0] !== 'string') return ask(...args) as never
    const patience = setTimeout(() => void this.end(), QUERY_TIMEOUT_MS)
    const callback: unknown = args.at(-1)
    if (typeof callback !== 'function') {
      const asked = ask(...args) as Promise<unknown>
      return asked.finally(() => clearTimeout(patience)) as never
    }
    return ask(...args.slice(0, -1), (...answer: unknown[]) => {
      clearTimeout(patience)
      Reflect.apply(callback, undefined, answer)
    }) as never
  }
}

/** The authority is read for each new connection, as the password is: a renewed one needs no restart. */
function tls(caFile: string | undefined) {
  if (!caFile) return { rejectUnauthorized: true }
  let known = readFileSync(caFile, 'utf8')
  return {
    rejectUnauthorized: true,
    // Asked in the middle of connecting, where an exception would end the process.
    get ca() {
      try {
        known = readFileSync(caFile, 'utf8')
      } catch {
        // What was good a moment ago may still be.
      }
      return known
    },
  }
}

const uncertain = new WeakSet<object>()

/**
 * Notes on the connection that a commit's wait for its standby was cut short: PostgreSQL then reports
 * success with a warning (`SyncRepWaitForLSN` in syncrep.c), and its text depends on the language.
 */
function watch(client: Client) {
  client.on('notice', (notice) => {
    if (notice.routine === 'SyncRepWaitForLSN') uncertain.add(client)
  })
  // A lost connection is told to its query, and then once more by an event. The pool listens to that
  // only while the connection is idle; an `error` event that nobody listens to ends the process.
  client.on('error', () => undefined)
}

/** Whether the commit that this connection just told of may not have reached its standby; asked once. */
export function takeUncertainCommit(client: object): boolean {
  return uncertain.delete(client)
}
