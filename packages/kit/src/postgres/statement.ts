import type { Attributes, Span } from '@opentelemetry/api'
import type { Pool, PoolClient, QueryConfig, QueryResultRow } from 'pg'
import { Batch, type BatchLimits } from '../worker/batch.js'
import { QUERY_TIMEOUT_MS, takeUncertainCommit } from './connection.js'
import type { DatabaseMetrics } from './database-metrics.js'
import type { DatabaseEnv } from '../config/env.js'
import { withTimeout } from '../worker/with-timeout.js'
import { currentRequestContext } from '../telemetry/request-context.js'
import { retryVerdict, type Phase, UncertainCommit } from './retry.js'
import { currentSpanLink, type SpanLink, withSharedSpan, withSpan } from '../telemetry/tracing.js'

/**
 * How one statement gets to PostgreSQL and its rows back: on a connection of the pool, alone or with
 * those of other requests. What becomes of one that fails is decided in `database.ts`.
 */

/** One SQL statement. Its name makes it a prepared statement, once a connection. */
export interface Statement {
  readonly name: string
  readonly text: string
  /**
   * Present on a statement that serves several requests at once. Its only parameter is a JSON array of
   * what each of them asks for (`json_to_recordset`), with its place in the array as `nth`; a row that
   * it gives carries the `nth` of the one that it answers.
   */
  readonly batched?: BatchOptions
}

export interface BatchOptions {
  /** What two requests must not have in common to share the statement: the rows that it locks. Of a read, nothing. */
  readonly conflictKeys?: (item: never) => readonly string[]
  /** Whether it is sent although its request's client is gone, since it matters to others than who waits. */
  readonly evenIfAborted?: boolean
}

/** Sends one statement and gives its rows. A shared one has one value: what it is to be of the array. */
export type Run = <Row extends QueryResultRow>(
  statement: Statement,
  values: readonly unknown[],
) => Promise<Row[]>

/** One try of a piece of work, and how far it came. */
export interface Attempt {
  phase: Phase
  /** Whether a statement of it was carried out. */
  answered: boolean
  /** How many other requests its last statement served. */
  neighbours: number
  /** Whether its statements go without others, as after one that failed. */
  readonly alone: boolean
  /** Until when it may go on, ms since the epoch. */
  readonly deadline: number
}

interface BatchedCall {
  readonly item: object
  readonly attempt: Attempt
  readonly rider: SpanLink | undefined
}

type Row = QueryResultRow

/** What waits, waits for a database that is away; one that is merely slow sheds what comes too fast. */
const LIMITS = { maxQueued: 10_000, maxDelayMs: 10, maxQueueTimeMs: 150, stallThresholdMs: 500 }
const MAX_IN_FLIGHT = 2

export class Statements {
  private readonly batches = new Map<Statement, Batch<BatchedCall, Row[]>>()
  private readonly limits: BatchLimits

  constructor(
    private readonly pool: () => Pool,
    env: Pick<DatabaseEnv, 'DB_BATCH_MAX' | 'DB_POOL_MAX'>,
    private readonly metrics: DatabaseMetrics,
  ) {
    const maxItems = env.DB_BATCH_MAX
    // Where no two requests share a statement, each has a connection as it needs one.
    this.limits = {
      ...LIMITS,
      maxItems,
      maxInFlight: maxItems === 1 ? env.DB_POOL_MAX : MAX_IN_FLIGHT,
    }
  }

  async send(statement: Statement, values: readonly unknown[], attempt: Attempt): Promise<Row[]> {
    const { batched } = statement
    if (!batched) return this.query(statement, values, [attempt])
    const ride = { item: values[0] as object, attempt, rider: currentSpanLink() }
    if (attempt.alone) return (await this.carry(statement, [ride]))[0] ?? []
    const requestContext = batched.evenIfAborted ? undefined : currentRequestContext()
    return this.batchOf(statement, batched).call(ride, {
      deadline: attempt.deadline,
      requestContext,
    })
  }

  private batchOf(statement: Statement, { conflictKeys }: BatchOptions): Batch<BatchedCall, Row[]> {
    let batch = this.batches.get(statement)
    if (!batch) {
      const carry = (rides: readonly BatchedCall[]) => this.carry(statement, rides)
      batch = new Batch(carry, ({ item }) => conflictKeys?.(item as never) ?? [], this.limits)
      this.batches.set(statement, batch)
    }
    return batch
  }

  private async carry(statement: Statement, rides: readonly BatchedCall[]): Promise<Row[][]> {
    this.metrics.observeBatch(rides.length)
    const input = JSON.stringify(rides.map(({ item }, nth) => ({ nth, ...item })))
    const attempts = rides.map(({ attempt }) => attempt)
    const riders = rides.map((ride) => ride.rider)
    const rows = await withSharedSpan(riders, () => this.query(statement, [input], attempts))
    const results: Row[][] = rides.map(() => [])
    for (const row of rows) results[row['nth'] as number]?.push(row)
    return results
  }

  private query(statement: Statement, values: readonly unknown[], attempts: readonly Attempt[]) {
    return withSpan(
      () => spanOptions(statement, this.pool()),
      (span) => this.ask(statement, values, attempts, span),
    )
  }

  private async ask(
    statement: Statement,
    values: readonly unknown[],
    attempts: readonly Attempt[],
    span: Span | undefined,
  ): Promise<Row[]> {
    const enter = (phase: Phase) => {
      for (const attempt of attempts) attempt.phase = phase
    }
    for (const attempt of attempts) attempt.neighbours = attempts.length - 1
    enter('connecting')
    const asked = performance.now()
    const client = await this.pool().connect()
    const sent = performance.now()
    this.metrics.observePoolWait((sent - asked) / 1000)
    span?.setAttribute('malipo.pool_wait_ms', Math.round(sent - asked))
    enter('sent')
    const latest = Math.max(...attempts.map(({ deadline }) => deadline))
    const limitMs = Math.max(1, Math.min(QUERY_TIMEOUT_MS, latest - Date.now()))
    const { name, text } = statement
    let failed: unknown
    try {
      const rows = await rowsOf(client, { name, text, values: [...values] }, limitMs)
      if (takeUncertainCommit(client)) throw new UncertainCommit()
      for (const attempt of attempts) Object.assign(attempt, { answered: true, neighbours: 0 })
      return rows
    } catch (error) {
      failed = error
      // Who asked says more than where in pg an answer was read.
      if (error instanceof Error) Error.captureStackTrace(error)
      throw error
    } finally {
      this.metrics.observeStatement(statement.name, (performance.now() - sent) / 1000)
      release(client, failed)
    }
  }
}

/**
 * The rows of a statement, asked by callback and with a time limit of our own. pg's promises and its
 * `query_timeout` make a function for each query and assign it to a property (`query.callback = …`); V8 makes such a
 * function in the old generation, and all that it reaches, values and rows, stays until a major collection.
 *
 * @throws what PostgreSQL or the connection says, or that no answer came within `limitMs`; the connection
 * is of no use then
 */
async function rowsOf(client: PoolClient, query: QueryConfig, limitMs: number): Promise<Row[]> {
  const { promise, resolve, reject } = Promise.withResolvers<Row[]>()
  client.query<Row>(query, (error: Error | null, result) => {
    if (error) reject(error)
    else resolve(result.rows)
  })
  const rows = await withTimeout(promise, limitMs)
  if (!rows) throw new Error('Query read timeout')
  return rows
}

/** A statement as a trace tells it: by its name, never by its values. */
export function spanOptions({ name }: Pick<Statement, 'name'>, pool: Pool) {
  let place = places.get(pool)
  if (!place) places.set(pool, (place = placeOf(pool)))
  return { name, attributes: { ...place, 'db.query.summary': name } }
}

const places = new WeakMap<Pool, Attributes>()

function placeOf({ options }: Pool): Attributes {
  const url = URL.parse(options.connectionString ?? '')
  return {
    'db.system.name': 'postgresql',
    'db.namespace': url?.pathname.slice(1) ?? options.database,
    'server.address': url?.hostname ?? options.host,
    'server.port': Number(url?.port) || options.port || 5432,
  }
}

/** Gives the connection back, or drops it when it is no longer to be trusted. */
function release(client: PoolClient, failed: unknown) {
  const drop = failed !== undefined && retryVerdict(failed, 'sent') !== 'final'
  client.release(drop && failed instanceof Error ? failed : undefined)
}
