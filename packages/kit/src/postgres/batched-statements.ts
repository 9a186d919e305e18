import type { DatabaseEnv } from '../config/variables.js'
import { requestContext } from '../telemetry/request-context.js'
import { currentSpanLink, type SpanLink, withSharedSpan } from '../telemetry/tracing.js'
import { Batch, type BatchLimits } from '../worker/batch.js'
import { query, type QueryContext } from './query.js'
import type { Row, Statement } from './statement.js'

/** The load shedder bounds the queue: each request in flight waits for one statement. */
const LIMITS = { maxQueued: Infinity, maxDelayMs: 10, stallThresholdMs: 500 }
const MAX_IN_FLIGHT = 2

interface BatchedCall {
  readonly item: object
  readonly deadline: number
  readonly spanLink: SpanLink | undefined
}

/** Runs batched statements: concurrent calls of a statement are sent together, as items of a JSON array. */
export class BatchedStatements {
  private readonly batches = new Map<Statement, Batch<BatchedCall, Row[]>>()
  private readonly limits: BatchLimits

  constructor(
    private readonly context: QueryContext,
    { DB_BATCH_MAX: maxItems, DB_POOL_MAX }: Pick<DatabaseEnv, 'DB_BATCH_MAX' | 'DB_POOL_MAX'>,
  ) {
    // Without batching, as many calls run at once as the pool has connections.
    const maxInFlight = maxItems === 1 ? DB_POOL_MAX : MAX_IN_FLIGHT
    this.limits = { ...LIMITS, maxItems, maxInFlight }
  }

  /** Whether the calls of a statement arrive faster than the database executes them. */
  get isBehind(): boolean {
    for (const batch of this.batches.values()) if (batch.isBehind) return true
    return false
  }

  /** Runs `statement` for one item, and returns the item's rows. */
  async run(
    statement: Statement,
    item: object,
    { deadline, unbatched }: { deadline: number; unbatched: boolean },
  ): Promise<Row[]> {
    const call = { item, deadline, spanLink: currentSpanLink() }
    if (unbatched) return (await this.dispatch(statement, [call]))[0] ?? []
    const request = statement.batched?.evenIfAborted ? undefined : requestContext.getStore()
    return this.batchOf(statement).call(call, { deadline, requestContext: request })
  }

  private batchOf(statement: Statement): Batch<BatchedCall, Row[]> {
    let batch = this.batches.get(statement)
    if (!batch) {
      const conflictKeys = statement.batched?.conflictKeys ?? (() => [])
      batch = new Batch(
        (calls) => this.dispatch(statement, calls),
        ({ item }) => conflictKeys(item as never),
        this.limits,
      )
      this.batches.set(statement, batch)
    }
    return batch
  }

  private async dispatch(statement: Statement, calls: readonly BatchedCall[]): Promise<Row[][]> {
    this.context.metrics.batchSize.observe(calls.length)
    const input = JSON.stringify(calls.map(({ item }, nth) => ({ nth, ...item })))
    const links = calls.map(({ spanLink }) => spanLink)
    const deadline = Math.max(...calls.map((call) => call.deadline))
    const rows = await withSharedSpan(links, () =>
      query(this.context, statement, [input], deadline, calls.length),
    )
    const results: Row[][] = calls.map(() => [])
    for (const row of rows) results[row['nth'] as number]?.push(row)
    return results
  }
}
