import type { Client } from 'pg'
import type { EntityManager, QueryRunner } from 'typeorm'
import { withSpan } from '../telemetry/tracing.js'
import { poolOf, QUERY_TIMEOUT_MS } from './pool-options.js'
import { type QueryContext, statementSpan } from './query.js'
import { type Phase, StatementFailed } from './retry.js'

/**
 * Runs TypeORM queries on one connection, which is closed when they take longer than the query timeout.
 *
 * pg's `query_timeout` can't replace this. After it TypeORM returns the connection to the pool, where the next
 * query waits behind the one that hangs: it failed after another 6 s. Set for the pool, it also left 12.7 KB
 * of each statement with 10 KB of rows in V8's old generation, instead of 0.1 KB (see `query.ts`).
 *
 * @throws StatementFailed
 */
export async function runTypeOrmQuery<T>(
  { dataSource, metrics }: QueryContext,
  name: string,
  work: (orm: EntityManager) => Promise<T>,
): Promise<T> {
  let phase: Phase = 'connecting'
  const stopTimer = metrics.statementSeconds.startTimer({ statement: name })
  const execute = async () => {
    const runner = dataSource.createQueryRunner()
    await runner.connect()
    phase = 'sent'
    const timer = setTimeout(() => void closeConnection(runner), QUERY_TIMEOUT_MS)
    try {
      return await work(runner.manager)
    } finally {
      clearTimeout(timer)
      await runner.release()
    }
  }
  try {
    return await withSpan(() => statementSpan(name, poolOf(dataSource)), execute)
  } catch (error) {
    throw new StatementFailed(error, phase)
  } finally {
    stopTimer()
  }
}

/** Fails the query that is running; the pool drops the connection when it is released. */
export async function closeConnection(runner: QueryRunner): Promise<void> {
  const client: Client = await runner.connect()
  await client.end()
}
