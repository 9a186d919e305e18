import { setTimeout as sleep } from 'node:timers/promises'
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common'
import type { Pool, QueryResultRow } from 'pg'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { Overloaded, DeadlineExceeded } from '../worker/batch.js'
import { DatabaseMetrics } from './database-metrics.js'
import type { DatabaseEnv } from '../config/env.js'
import type { Logger } from '../telemetry/logger.js'
import { HTTP_PROBLEMS, overloaded, Problem } from '../http/problem.js'
import { type RetryVerdict, retryVerdict } from './retry.js'
import { type Attempt, spanOptions, type Run, type Statement, Statements } from './statement.js'
import { withSpan } from '../telemetry/tracing.js'

export type { Run, Statement } from './statement.js'

/**
 * A service's PostgreSQL, and the one place where a statement is tried again.
 *
 * A database fails over; a request should not. What surely did not happen is sent again on a fresh
 * connection until `DB_WAIT_MS` is over, then the answer is 503. What may have happened is tried again
 * only by a `write`, which knows it by its operation id, and its answer leaves only after a later
 * commit of ours has gone through: after a crash in place PostgreSQL shows commits that no standby has.
 */

const PAUSE_MS = { first: 25, most: 400 }
/** How often a database that is not up or not migrated yet is looked at again. */
const OPEN_EVERY_MS = 250

/**
 * A commit that waits for every standby that synchronous replication asks for: a transactional message
 * in the WAL needs no table and no right, and its commit waits like any other. One is enough for all who wait.
 */
const DURABILITY_BARRIER: Statement = {
  name: 'keep',
  text: `
SELECT nth
  FROM json_to_recordset($1) AS input (nth integer), pg_logical_emit_message(true, 'keep', '')`,
  batched: { evenIfAborted: true },
}

export class Database implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly source: DataSource
  private readonly statements: Statements
  private readonly waitMs: number
  private readonly opened = Promise.withResolvers<void>()
  private state: 'unreached' | 'unmigrated' | 'open' | 'closed' = 'unreached'

  constructor(
    options: DataSourceOptions,
    env: Pick<DatabaseEnv, 'DB_WAIT_MS' | 'DB_BATCH_MAX' | 'DB_POOL_MAX'>,
    private readonly log: Logger,
    private readonly metrics = new DatabaseMetrics(),
  ) {
    this.source = new DataSource(options)
    this.waitMs = env.DB_WAIT_MS
    this.statements = new Statements(() => this.pg, env, metrics)
    this.opened.promise.catch(() => undefined)
  }

  /** The process is up before its database is: the search for it goes on beside the requests. */
  onApplicationBootstrap() {
    void this.open()
  }

  async onApplicationShutdown() {
    this.state = 'closed'
    this.opened.reject(unavailable())
    if (this.source.isInitialized) await this.source.destroy()
  }

  /** Whether the database was reached since the start, with every migration that this code needs. */
  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** Why it is not open, for people. */
  get waitingFor(): string {
    return this.state === 'unmigrated' ? 'the migrations of this release' : 'the database'
  }

  /** How the pool stands: connections, idle ones, and requests that wait for one. */
  get pool(): { total: number; idle: number; waiting: number } {
    const pool = this.source.isInitialized ? this.pg : undefined
    return {
      total: pool?.totalCount ?? 0,
      idle: pool?.idleCount ?? 0,
      waiting: pool?.waitingCount ?? 0,
    }
  }

  /** For queries that TypeORM builds; call it inside `find`. */
  get orm(): DataSource {
    return this.source
  }

  /**
   * Reads, trying again whatever the connection does.
   *
   * @throws Problem 503 when the database can't answer within `DB_WAIT_MS`
   */
  async read<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return this.retrying(work)
  }

  /** Reads by a query that TypeORM builds, whose name is for traces and metrics. */
  async find<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.read(async () => {
      const began = performance.now()
      try {
        return await withSpan(() => spanOptions({ name }, this.pg), work)
      } finally {
        this.metrics.observeStatement(name, (performance.now() - began) / 1000)
      }
    })
  }

  /**
   * Writes by `work`, which must be safe to repeat: it carries an operation id that the database keeps
   * unique. `retried` tells it that an earlier try may have been committed, so that before it says
   * "refused" or "not found" it has to look whether its own operation id is there.
   *
   * @throws Problem 503 when the database can't answer within `DB_WAIT_MS`; the write may then have
   * happened or not
   */
  async write<T>(work: (run: Run, retried: boolean) => Promise<T>): Promise<T> {
    let doubtful = false
    const deadline = Date.now() + this.waitMs
    const answer = await this.retrying(
      (run) => work(run, doubtful),
      deadline,
      () => (doubtful = true),
    )
    if (doubtful) await this.awaitDurable(deadline)
    return answer
  }

  /**
   * Returns once a writing transaction begun now has been committed: everything seen before it is then
   * as durable as the database makes anything. An answer that was found, not made, waits for this.
   */
  async awaitDurable(deadline = Date.now() + this.waitMs): Promise<void> {
    await this.retrying((run) => run(DURABILITY_BARRIER, [{}]), deadline)
  }

  /** A round trip, for health checks. */
  async ping(): Promise<void> {
    if (!this.source.isInitialized) throw new Error('not connected')
    await this.pg.query('SELECT 1')
  }

  private get pg(): Pool {
    return (this.source.driver as unknown as { master: Pool }).master
  }

  private async retrying<T>(
    work: (run: Run) => Promise<T>,
    deadline = Date.now() + this.waitMs,
    onUnknown: () => void = () => undefined,
  ): Promise<T> {
    if (this.state !== 'open') await this.untilOpen(deadline)
    let alone = false
    for (let pauseMs = PAUSE_MS.first; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most)) {
      const attempt: Attempt = {
        phase: 'building',
        answered: false,
        neighbours: 0,
        alone,
        deadline,
      }
      try {
        return await work(this.runOf(attempt))
      } catch (error) {
        if (error instanceof Overloaded) {
          this.metrics.countOverload()
          throw overloaded(error)
        }
        const fate = fateFor(error, attempt)
        if (fate === 'final') throw error
        // What an earlier statement of the same try did stands, whatever became of the later one.
        if (fate === 'unknown' || attempt.answered) onUnknown()
        alone ||= attempt.neighbours > 0
        const waitMs = fate === 'again' ? 0 : pauseMs * (0.5 + Math.random() / 2)
        if (this.state === 'closed' || Date.now() + waitMs >= deadline) {
          this.metrics.countUnavailable()
          throw unavailable(error)
        }
        this.metrics.retries[fate].inc()
        this.log.debug({ err: error, fate }, 'a statement is tried again')
        await sleep(waitMs)
      }
    }
  }

  private runOf(attempt: Attempt): Run {
    return <Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]) =>
      this.statements.send(statement, values, attempt) as Promise<Row[]>
  }

  private async untilOpen(deadline: number): Promise<void> {
    const timer = new AbortController()
    const late = sleep(Math.max(0, deadline - Date.now()), undefined, { signal: timer.signal })
    try {
      await Promise.race([
        this.opened.promise,
        late.then(() => {
          this.metrics.countUnavailable()
          throw unavailable()
        }),
      ])
    } finally {
      timer.abort()
      late.catch(() => undefined)
    }
  }

  private async open(): Promise<void> {
    for (let tries = 0; this.state !== 'closed'; tries++) {
      try {
        if (!this.source.isInitialized) await this.source.initialize()
        if (!(await this.lacksMigrations())) break
        this.state = 'unmigrated'
      } catch (error) {
        if (tries % 20 === 0) this.log.warn({ err: error }, 'waiting for the database')
      }
      await sleep(OPEN_EVERY_MS, undefined, { ref: false })
    }
    if (this.state === 'closed') return
    this.state = 'open'
    this.log.info('the database is open')
    this.opened.resolve()
  }

  /** Whether a migration that this code has is missing in the database. */
  private async lacksMigrations(): Promise<boolean> {
    try {
      const { rows } = await this.pg.query<{ name: string }>('SELECT name FROM migrations')
      const done = new Set(rows.map(({ name }) => name))
      return this.source.migrations.some(({ name }) => name !== undefined && !done.has(name))
    } catch (error) {
      const UNDEFINED_TABLE = '42P01'
      if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return true
      throw error
    }
  }
}

/**
 * An answer of the database's own is final for a request that it answered alone; in a crowd it may be
 * meant for a neighbour, and nothing of the statement was done.
 */
function fateFor(error: unknown, attempt: Attempt): RetryVerdict {
  if (error instanceof DeadlineExceeded) return attempt.phase === 'sent' ? 'unknown' : 'refused'
  const fate = error instanceof Problem ? 'final' : retryVerdict(error, attempt.phase)
  return fate === 'final' && attempt.neighbours > 0 ? 'again' : fate
}

function unavailable(cause?: unknown): Problem {
  return new Problem(
    HTTP_PROBLEMS.unavailable,
    'The database can’t be reached just now. A write may have been kept: repeat it with the same key.',
    { retryAfterSeconds: 2 },
    { cause },
  )
}
