import type { Span } from '@opentelemetry/api'
import type { Client, Pool, PoolClient, QueryConfig } from 'pg'
import type { DataSource, EntityManager, QueryRunner } from 'typeorm'
import { type SpanOptions, withSpan } from '../telemetry/tracing.js'
import { withTimeout } from '../worker/with-timeout.js'
import type { DatabaseMetrics } from './database-metrics.js'
import { poolOf, QUERY_TIMEOUT_MS, takeUncertainCommit } from './pool-options.js'
import { type Phase, retryVerdict, StatementFailed, UncertainCommit } from './retry.js'
import { sessionOf } from './session.js'
import type { Row, Statement } from './statement.js'

const ROLLBACK_TIMEOUT_MS = 1_000

export interface QueryContext {
  readonly dataSource: DataSource
  readonly metrics: DatabaseMetrics
}

/** Executes a prepared statement for one call or one batch. `deadline` is in ms since the epoch. */
export async function query(
  { dataSource, metrics }: QueryContext,
  { name, text }: Statement,
  values: readonly unknown[],
  deadline: number,
  batchSize = 1,
): Promise<Row[]> {
  const pool = poolOf(dataSource)
  let phase: Phase = 'connecting'
  const run = async (span: Span | undefined) => {
    const requestedAt = performance.now()
    const client = await pool.connect()
    const waitMs = performance.now() - requestedAt
    metrics.poolWaitSeconds.observe(waitMs / 1000)
    span?.setAttribute('malipo.pool_wait_ms', Math.round(waitMs))
    const { setLimits, hasPreparedStatements } = sessionOf(client)
    const stopTimer = metrics.statementSeconds.startTimer({ statement: name })
    const endsAt = Math.min(Date.now() + QUERY_TIMEOUT_MS, deadline)
    const timeoutMs = () => Math.max(1, endsAt - Date.now())
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
      // Closes the connection unless the error leaves it in a known state.
      const isUsable = retryVerdict(error, phase) === 'final' && (await rollBack(client, setLimits))
      client.release(!isUsable)
      throw error
    } finally {
      stopTimer()
    }
  }
  try {
    return await withSpan(() => statementSpan(name, pool), run)
  } catch (error) {
    throw new StatementFailed(error, phase, batchSize)
  }
}

/**
 * Runs TypeORM queries on one connection, and closes it if they exceed the query timeout. With pg's own
 * `query_timeout`, TypeORM would return the connection to the pool, and the next query would wait behind the
 * one that hangs. `fetchRows` documents another reason.
 */
export async function runTypeOrmQuery<T>(
  { dataSource, metrics }: QueryContext,
  name: string,
  work: (orm: EntityManager) => Promise<T>,
): Promise<T> {
  let phase: Phase = 'connecting'
  const stopTimer = metrics.statementSeconds.startTimer({ statement: name })
  const run = async () => {
    const runner = dataSource.createQueryRunner()
    const { setLimits } = sessionOf((await runner.connect()) as object)
    phase = 'sent'
    const timer = setTimeout(() => void closeConnection(runner), QUERY_TIMEOUT_MS)
    try {
      if (setLimits === undefined) return await work(runner.manager)
      return await runner.manager.transaction(async (orm) => {
        await orm.query(setLimits)
        return work(orm)
      })
    } finally {
      clearTimeout(timer)
      await runner.release()
    }
  }
  try {
    return await withSpan(() => statementSpan(name, poolOf(dataSource)), run)
  } catch (error) {
    throw new StatementFailed(error, phase)
  } finally {
    stopTimer()
  }
}

/** Closes a connection, which fails its running query. The pool drops the connection when it is released. */
export async function closeConnection(runner: QueryRunner): Promise<void> {
  const client: Client = await runner.connect()
  await client.end()
}

/** Span attributes name the statement and the server, but never contain values. */
function statementSpan(name: string, { options: { database, host, port } }: Pool): SpanOptions {
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
  if (!rows) throw new Error('Query read timeout')
  return rows
}

/** Executes statements without parameters and without rows, with the timeout of `fetchRows`. */
async function execute(client: PoolClient, text: string, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<true>()
  client.query(text, (error: Error | null) => (error ? reject(error) : resolve(true)))
  if (!(await withTimeout(promise, timeoutMs))) throw new Error('Query read timeout')
}

/** Ends a transaction that failed; returns whether the connection can be used again. */
async function rollBack(client: PoolClient, setLimits: string | undefined): Promise<boolean> {
  if (setLimits === undefined) return true
  return execute(client, 'ROLLBACK', ROLLBACK_TIMEOUT_MS).then(
    () => true,
    () => false,
  )
}
