import type { Span } from '@opentelemetry/api'
import type { Client, PoolClient, QueryConfig } from 'pg'
import type { DataSource, EntityManager, QueryRunner } from 'typeorm'
import { type SpanOptions, withSpan } from '../telemetry/tracing.js'
import { DeadlineExceeded } from '../worker/batch.js'
import { withTimeout } from '../worker/with-timeout.js'
import type { DatabaseClient } from './database-client.js'
import type { DatabaseMetrics } from './database-metrics.js'
import type { DatabasePool } from './database-pool.js'
import { poolOf, QUERY_TIMEOUT_MS, takeUncertainCommit } from './pool-options.js'
import {
  isConnectionLoss,
  isPlanChange,
  keepsConnection,
  type Phase,
  StatementFailed,
  StatementTimeout,
  UncertainCommit,
} from './retry.js'
import { sessionOf } from './session.js'
import type { StatementRevisions } from './statement-revisions.js'
import type { Row, Statement } from './statement.js'

const ROLLBACK_TIMEOUT_MS = 1_000
/** A connection that has not answered for this long may be lost, ms. */
const SILENT_MS = 1_000

export interface QueryContext {
  readonly dataSource: DataSource
  readonly metrics: DatabaseMetrics
  readonly revisions: StatementRevisions
}

/** Executes a prepared statement for one call or one batch. `deadline` is by `performance.now()`. */
export async function query(
  { dataSource, metrics, revisions }: QueryContext,
  statement: Statement,
  values: readonly unknown[],
  deadline: number,
  batchSize = 1,
): Promise<Row[]> {
  const pool = poolOf(dataSource)
  const { name, text } = revisions.current(statement)
  let phase: Phase = 'connecting'
  const run = async (span: Span | undefined) => {
    const requestedAt = performance.now()
    const client = await pool.acquire(deadline)
    const sentAt = performance.now()
    const waitMs = sentAt - requestedAt
    metrics.poolWaitSeconds.observe(waitMs / 1000)
    span?.setAttribute('malipo.pool_wait_ms', Math.round(waitMs))
    const { setLimits, hasPreparedStatements } = sessionOf(client)
    const stopTimer = metrics.statementSeconds.startTimer({ statement: statement.name })
    const endsAt = Math.min(sentAt + QUERY_TIMEOUT_MS, deadline)
    const timeoutMs = () => Math.max(1, endsAt - performance.now())
    try {
      if (setLimits !== undefined) await execute(client, `BEGIN; ${setLimits}`, timeoutMs())
      phase = 'sent'
      const parameters = [...values]
      const config = hasPreparedStatements
        ? { name, text, values: parameters }
        : { text, values: parameters }
      const rows = await fetchRows(client, config, timeoutMs())
      if (setLimits !== undefined) await execute(client, 'COMMIT', timeoutMs())
      if (takeUncertainCommit(client)) throw new UncertainCommit()
      client.release()
      return rows
    } catch (error) {
      // Points the stack trace at the caller instead of at pg's parser.
      if (error instanceof Error) Error.captureStackTrace(error)
      noteLoss(pool, client, error, sentAt)
      if (isPlanChange(error)) revisions.replace(statement, name)
      // The caller does not wait for the rollback. Closes the connection if its state is not known.
      if (!keepsConnection(error, phase, client.isNew)) client.release(true)
      else void rollBack(client, setLimits).then((isUsable) => client.release(!isUsable))
      throw error
    } finally {
      stopTimer()
    }
  }
  try {
    return await withSpan(() => statementSpan(statement.name, pool), run)
  } catch (error) {
    throw error instanceof DeadlineExceeded ? error : new StatementFailed(error, phase, batchSize)
  }
}

/**
 * Runs TypeORM queries on one connection until `deadline`, by `performance.now()`, and closes it if they exceed
 * the query timeout. With pg's own `query_timeout`, TypeORM would return the connection to the pool, and the
 * next query would wait behind the one that hangs. `fetchRows` documents another reason.
 */
export async function runTypeOrmQuery<T>(
  { dataSource, metrics }: QueryContext,
  name: string,
  deadline: number,
  work: (orm: EntityManager) => Promise<T>,
): Promise<T> {
  let phase: Phase = 'connecting'
  const pool = poolOf(dataSource)
  const stopTimer = metrics.statementSeconds.startTimer({ statement: name })
  const run = async () => {
    const runner = dataSource.createQueryRunner()
    const client = await connectBefore(deadline, runner)
    const { setLimits } = sessionOf(client)
    phase = 'sent'
    const sentAt = performance.now()
    const timeoutMs = Math.max(1, Math.min(QUERY_TIMEOUT_MS, deadline - sentAt))
    let isTimedOut = false
    const timer = setTimeout(() => {
      isTimedOut = true
      void closeConnection(runner)
    }, timeoutMs)
    try {
      if (setLimits === undefined) return await work(runner.manager)
      return await runner.manager.transaction(async (orm) => {
        await orm.query(setLimits)
        return work(orm)
      })
    } catch (error) {
      const cause = isTimedOut ? new StatementTimeout(timeoutMs) : error
      noteLoss(pool, client, cause, sentAt)
      throw cause
    } finally {
      clearTimeout(timer)
      await runner.release()
    }
  }
  try {
    return await withSpan(() => statementSpan(name, pool), run)
  } catch (error) {
    throw error instanceof DeadlineExceeded ? error : new StatementFailed(error, phase)
  } finally {
    stopTimer()
  }
}

/** A statement that its deadline ended early is no sign of a lost connection: under load, many are. */
function noteLoss(pool: DatabasePool, client: DatabaseClient, error: unknown, sentAt: number) {
  const isEarly = error instanceof StatementTimeout && performance.now() < sentAt + SILENT_MS
  if (isConnectionLoss(error) && !isEarly) pool.connectionLost(client, sentAt, error)
}

/** Gives the runner its connection. One that arrives after the deadline returns to the pool. */
async function connectBefore(deadline: number, runner: QueryRunner): Promise<DatabaseClient> {
  const connecting = runner.connect() as Promise<DatabaseClient>
  const client = await withTimeout(connecting, Math.max(0, deadline - performance.now()))
  if (client) return client
  void connecting.then(
    () => runner.release(),
    () => undefined,
  )
  throw new DeadlineExceeded('No connection to PostgreSQL was available before the deadline')
}

/** Closes a connection, which fails its running query. The pool drops the connection when it is released. */
export async function closeConnection(runner: QueryRunner): Promise<void> {
  const client: Client = await runner.connect()
  await client.end()
}

/** Span attributes name the statement and the server, but never contain values. */
function statementSpan(
  name: string,
  { options: { database, host, port } }: DatabasePool,
): SpanOptions {
  const attributes = {
    'db.system.name': 'postgresql',
    'db.namespace': database,
    'db.query.summary': name,
    'server.address': host,
    'server.port': port,
  }
  return { name, attributes }
}

/**
 * Sends a query with a callback and our own timeout. For a promise or `query_timeout`, pg would assign a new
 * function to `query.callback`. V8 allocates that function in the old generation, where it retains values and
 * rows until a major collection: 2.8 KB per create instead of 0.6 KB (docs/performance.md). After a timeout
 * the connection must be closed, because the result may still arrive.
 */
async function fetchRows(
  client: PoolClient,
  config: QueryConfig,
  timeoutMs: number,
): Promise<Row[]> {
  const { promise, resolve, reject } = Promise.withResolvers<Row[]>()
  client.query<Row>(config, (error: Error | null, result) => {
    if (error) reject(error)
    else resolve(result.rows)
  })
  const rows = await withTimeout(promise, timeoutMs)
  if (!rows) throw new StatementTimeout(timeoutMs)
  return rows
}

/** Executes statements without parameters and without rows, with the timeout of `fetchRows`. */
async function execute(client: PoolClient, text: string, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<true>()
  client.query(text, (error: Error | null) => (error ? reject(error) : resolve(true)))
  if (!(await withTimeout(promise, timeoutMs))) throw new StatementTimeout(timeoutMs)
}

/** Ends a transaction that failed; returns whether the connection can be used again. */
async function rollBack(client: PoolClient, setLimits: string | undefined): Promise<boolean> {
  if (setLimits === undefined) return true
  return execute(client, 'ROLLBACK', ROLLBACK_TIMEOUT_MS).then(
    () => true,
    () => false,
  )
}
