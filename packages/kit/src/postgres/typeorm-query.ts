import type { Client, Pool } from 'pg'
import type { DataSource, EntityManager, QueryRunner } from 'typeorm'
import { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js'
import { QUERY_TIMEOUT_MS } from './pool-options.js'
import type { Attempt } from './statement.js'

/** Longer than a connection attempt and a query together. */
const INITIALIZE_TIMEOUT_MS = 10_000

/** The pool that TypeORM's queries and our statements share; it exists once TypeORM has connected. */
export function poolOf(dataSource: DataSource): Pool {
  return driverOf(dataSource).master
}

function driverOf({ driver }: DataSource): PostgresDriver {
  if (driver instanceof PostgresDriver) return driver
  throw new TypeError('The data source must be of PostgreSQL')
}

/** Connects TypeORM and reads its entities. Fails, and can be repeated, when PostgreSQL does not respond in time. */
export async function initialize(dataSource: DataSource): Promise<void> {
  const timer = setTimeout(() => {
    for (const runner of driverOf(dataSource).connectedQueryRunners) void closeConnection(runner)
  }, INITIALIZE_TIMEOUT_MS)
  try {
    await dataSource.initialize()
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Runs TypeORM queries on one connection, which is closed when they take longer than the query timeout.
 *
 * pg's `query_timeout` can't replace this. After it TypeORM returns the connection to the pool, where the next
 * query waits behind the one that hangs: it failed after another 6 s. Set for the pool, it also left 12.7 KB
 * of each statement with 10 KB of rows in V8's old generation, instead of 0.1 KB (see `query.ts`).
 */
export async function runTypeOrmQuery<T>(
  dataSource: DataSource,
  work: (orm: EntityManager) => Promise<T>,
  attempt: Attempt,
): Promise<T> {
  const runner = dataSource.createQueryRunner()
  attempt.phase = 'connecting'
  await runner.connect()
  attempt.phase = 'sent'
  const timer = setTimeout(() => void closeConnection(runner), QUERY_TIMEOUT_MS)
  try {
    return await work(runner.manager)
  } finally {
    clearTimeout(timer)
    await runner.release()
  }
}

/** Fails the query that is running; the pool drops the connection when it is released. */
async function closeConnection(runner: QueryRunner): Promise<void> {
  const client: Client = await runner.connect()
  await client.end()
}
