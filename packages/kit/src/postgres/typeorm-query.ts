import type { Client } from 'pg'
import type { EntityManager, QueryRunner } from 'typeorm'
import { withSpan } from '../telemetry/tracing.js'
import { poolOf, QUERY_TIMEOUT_MS } from './pool-options.js'
import { type QueryContext, statementSpan } from './query.js'
import { type Phase, StatementFailed } from './retry.js'

/**
 * Runs TypeORM queries on one connection, which is closed when they take longer than the query timeout. After
 * pg's own `query_timeout`, TypeORM returns the connection to the pool, where the next query would wait behind
 * the one that hangs (and see `query.ts`).
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
