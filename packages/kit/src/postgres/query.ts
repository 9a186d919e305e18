import type { Span } from '@opentelemetry/api'
import type { ClientConfig, Pool, PoolClient, QueryConfig } from 'pg'
import { withSpan } from '../telemetry/tracing.js'
import { withTimeout } from '../worker/with-timeout.js'
import { takeUncertainCommit } from './commit-durability.js'
import type { DatabaseMetrics } from './database-metrics.js'
import { QUERY_TIMEOUT_MS } from './pool-options.js'
import { type Phase, retryVerdict, UncertainCommit } from './retry.js'
import { statementSpan } from './statement-span.js'
import type { Attempt, Row, Statement } from './statement.js'

export interface QueryContext {
  readonly pool: Pool
  readonly metrics: DatabaseMetrics
}

/**
 * Executes a prepared statement on a connection of the pool, for one attempt or for those that share a batch.
 *
 * @throws UncertainCommit, an error of PostgreSQL or of the connection, or `Query read timeout`
 */
export function query(
  context: QueryContext,
  statement: Statement,
  values: readonly unknown[],
  attempts: readonly Attempt[],
): Promise<Row[]> {
  return withSpan(
    () => statementSpan(statement.name, context.pool),
    (span) => execute(context, statement, values, attempts, span),
  )
}

async function execute(
  { pool, metrics }: QueryContext,
  { name, text }: Statement,
  values: readonly unknown[],
  attempts: readonly Attempt[],
  span: Span | undefined,
): Promise<Row[]> {
  for (const attempt of attempts) attempt.batchSize = attempts.length
  enterPhase(attempts, 'connecting')
  const requestedAt = performance.now()
  const client = await pool.connect()
  const sentAt = performance.now()
  metrics.observePoolWait((sentAt - requestedAt) / 1000)
  span?.setAttribute('malipo.pool_wait_ms', Math.round(sentAt - requestedAt))
  enterPhase(attempts, 'sent')
  const deadline = Math.max(...attempts.map((attempt) => attempt.deadline))
  const timeoutMs = Math.max(1, Math.min(QUERY_TIMEOUT_MS, deadline - Date.now()))
  let failure: unknown
  try {
    const rows = await fetchRows(client, { name, text, values: [...values] }, timeoutMs)
    if (takeUncertainCommit(client)) throw new UncertainCommit()
    for (const attempt of attempts) Object.assign(attempt, { executed: true, batchSize: 1 })
    return rows
  } catch (error) {
    failure = error
    // Points the stack trace at the caller instead of at pg's parser.
    if (error instanceof Error) Error.captureStackTrace(error)
    throw error
  } finally {
    metrics.observeStatement(name, (performance.now() - sentAt) / 1000)
    release(client, failure)
  }
}

/** Executes a query that belongs to no request. After pg's `query_timeout` the pool closes the connection. */
export async function queryOnce(pool: Pool, text: string): Promise<Row[]> {
  const config: QueryConfig & ClientConfig = { text, query_timeout: QUERY_TIMEOUT_MS }
  return (await pool.query<Row>(config)).rows
}

function enterPhase(attempts: readonly Attempt[], phase: Phase) {
  for (const attempt of attempts) attempt.phase = phase
}

/**
 * Sends a query with a callback and a timeout of our own. For a promise, and for `query_timeout`, pg assigns a new
 * function to `query.callback`. V8 allocates that function in the old generation, where it keeps the values
 * and rows until a major collection: 2.8 KB for each create, 0.6 KB with a callback (docs/performance.md).
 *
 * After a timeout the connection must be closed: its result may still arrive.
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

/** Returns the connection to the pool, or closes it unless the error leaves it in a known state. */
function release(client: PoolClient, failure: unknown) {
  const isBroken = failure !== undefined && retryVerdict(failure, 'sent') !== 'final'
  client.release(isBroken && failure instanceof Error ? failure : undefined)
}
