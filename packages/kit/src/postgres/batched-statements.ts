import type { DatabaseEnv } from '../config/variables.js'
import { currentRequestContext } from '../telemetry/request-context.js'
import { currentSpanLink, type SpanLink, withSharedSpan } from '../telemetry/tracing.js'
import { Batch, type BatchLimits } from '../worker/batch.js'
import type { DatabaseMetrics } from './database-metrics.js'
import type { Attempt, BatchOptions, Row, Statement } from './statement.js'

/** While the database is down, calls queue; while it is only slow, excess calls are rejected. */
const LIMITS = { maxQueued: 10_000, maxDelayMs: 10, maxQueueTimeMs: 150, stallThresholdMs: 500 }
const MAX_IN_FLIGHT = 2

type Execute = (
  statement: Statement,
  values: readonly unknown[],
  attempts: readonly Attempt[],
) => Promise<Row[]>

interface BatchedCall {
  readonly item: object
  readonly attempt: Attempt
  readonly spanLink: SpanLink | undefined
}

/** Runs the batched statements: concurrent calls of one statement become items of one JSON parameter. */
export class BatchedStatements {
  private readonly batches = new Map<Statement, Batch<BatchedCall, Row[]>>()
  private readonly limits: BatchLimits

  constructor(
    private readonly execute: Execute,
    env: Pick<DatabaseEnv, 'DB_BATCH_MAX' | 'DB_POOL_MAX'>,
    private readonly metrics: DatabaseMetrics,
  ) {
    const maxItems = env.DB_BATCH_MAX
    // Batches of one item need a connection each.
    const maxInFlight = maxItems === 1 ? env.DB_POOL_MAX : MAX_IN_FLIGHT
    this.limits = { ...LIMITS, maxItems, maxInFlight }
  }

  /** Runs `statement` for one item, in a batch unless the attempt is unbatched, and returns the item's rows. */
  async run(
    statement: Statement,
    options: BatchOptions,
    item: object,
    attempt: Attempt,
  ): Promise<Row[]> {
    const call = { item, attempt, spanLink: currentSpanLink() }
    if (attempt.unbatched) return (await this.dispatch(statement, [call]))[0] ?? []
    return this.batchOf(statement, options).call(call, {
      deadline: attempt.deadline,
      requestContext: options.evenIfAborted ? undefined : currentRequestContext(),
    })
  }

  private batchOf(statement: Statement, { conflictKeys }: BatchOptions): Batch<BatchedCall, Row[]> {
    let batch = this.batches.get(statement)
    if (!batch) {
      const dispatch = (calls: readonly BatchedCall[]) => this.dispatch(statement, calls)
      batch = new Batch(dispatch, ({ item }) => conflictKeys?.(item as never) ?? [], this.limits)
      this.batches.set(statement, batch)
    }
    return batch
  }

  private async dispatch(statement: Statement, calls: readonly BatchedCall[]): Promise<Row[][]> {
    this.metrics.observeBatch(calls.length)
    const input = JSON.stringify(calls.map(({ item }, nth) => ({ nth, ...item })))
    const attempts = calls.map(({ attempt }) => attempt)
    const links = calls.map(({ spanLink }) => spanLink)
    const rows = await withSharedSpan(links, () => this.execute(statement, [input], attempts))
    const results: Row[][] = calls.map(() => [])
    for (const row of rows) results[row['nth'] as number]?.push(row)
    return results
  }
}
