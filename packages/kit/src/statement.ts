import type { Pool, PoolClient, QueryConfig, QueryResultRow } from 'pg'
import { Batch, type BatchLimits } from './batch.js'
import { ANSWER_TIMEOUT_MS, wasUncertain } from './connection.js'
import type { DatabaseMetrics } from './database-metrics.js'
import type { DatabaseEnv } from './env.js'
import { fateOf, type Phase, UncertainCommit } from './retry.js'

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
  readonly shared?: Sharing
}

export interface Sharing {
  /** What two requests must not have in common to share the statement: the rows that it locks. */
  readonly keysOf: (item: never) => readonly string[]
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

interface Ride {
  readonly item: object
  readonly attempt: Attempt
}

type Row = QueryResultRow

/** What waits, waits for a database that is away; one that is merely slow sheds what comes too fast. */
const LIMITS = { waiting: 10_000, patienceMs: 10, lagMs: 250, silentMs: 500 }
const IN_FLIGHT = 2

export class Statements {
  private readonly batches = new Map<Statement, Batch<Ride, Row[]>>()
  private readonly limits: BatchLimits

  constructor(
    private readonly pool: () => Pool,
    env: Pick<DatabaseEnv, 'DB_BATCH_MAX' | 'DB_POOL_MAX'>,
    private readonly metrics: DatabaseMetrics,
  ) {
    const items = env.DB_BATCH_MAX
    // Where no two requests share a statement, each has a connection as it needs one.
    this.limits = { ...LIMITS, items, inFlight: items === 1 ? env.DB_POOL_MAX : IN_FLIGHT }
  }

  async send(statement: Statement, values: readonly unknown[], attempt: Attempt): Promise<Row[]> {
    const { shared } = statement
    if (!shared) return this.query(statement, values, [attempt])
    const ride = { item: values[0] as object, attempt }
    if (attempt.alone) return (await this.carry(statement, [ride]))[0] ?? []
    return this.batchOf(statement, shared).call(ride, attempt)
  }

  private batchOf(statement: Statement, { keysOf }: Sharing): Batch<Ride, Row[]> {
    let batch = this.batches.get(statement)
    if (!batch) {
      const carry = (rides: readonly Ride[]) => this.carry(statement, rides)
      batch = new Batch(carry, ({ item }) => keysOf(item as never), this.limits)
      this.batches.set(statement, batch)
    }
    return batch
  }

  private async carry(statement: Statement, rides: readonly Ride[]): Promise<Row[][]> {
    this.metrics.shared(rides.length)
    const input = JSON.stringify(rides.map(({ item }, nth) => ({ nth, ...item })))
    const rows = await this.query(
      statement,
      [input],
      rides.map(({ attempt }) => attempt),
    )
    const results: Row[][] = rides.map(() => [])
    for (const row of rows) results[row['nth'] as number]?.push(row)
    return results
  }

  private async query(
    statement: Statement,
    values: readonly unknown[],
    attempts: readonly Attempt[],
  ): Promise<Row[]> {
    const enter = (phase: Phase) => {
      for (const attempt of attempts) attempt.phase = phase
    }
    for (const attempt of attempts) attempt.neighbours = attempts.length - 1
    enter('connecting')
    const asked = performance.now()
    const client = await this.pool().connect()
    const sent = performance.now()
    this.metrics.waited((sent - asked) / 1000)
    enter('sent')
    const latest = Math.max(...attempts.map(({ deadline }) => deadline))
    const limitMs = Math.max(1, Math.min(ANSWER_TIMEOUT_MS, latest - Date.now()))
    // `query_timeout` works for one query too, but pg's types know it only for a client.
    const { name, text } = statement
    const query = { name, text, values: [...values], query_timeout: limitMs } as QueryConfig
    let failed: unknown
    try {
      const { rows } = await client.query<Row>(query)
      if (wasUncertain(client)) throw new UncertainCommit()
      for (const attempt of attempts) Object.assign(attempt, { answered: true, neighbours: 0 })
      return rows
    } catch (error) {
      failed = error
      throw error
    } finally {
      this.metrics.answered(statement.name, (performance.now() - sent) / 1000)
      release(client, failed)
    }
  }
}

/** Gives the connection back, or drops it when it is no longer to be trusted. */
function release(client: PoolClient, failed: unknown) {
  const drop = failed !== undefined && fateOf(failed, 'sent') !== 'final'
  client.release(drop && failed instanceof Error ? failed : undefined)
}
