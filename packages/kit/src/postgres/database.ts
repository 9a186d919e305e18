import { setTimeout as sleep } from 'node:timers/promises'
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common'
import type { DataSource, EntityManager } from 'typeorm'
import type { DatabaseEnv } from '../config/variables.js'
import { HTTP_PROBLEMS, Problem } from '../http/problem.js'
import type { Logger } from '../telemetry/logger.js'
import { timeLeftMs } from '../telemetry/request-context.js'
import { DeadlineExceeded } from '../worker/batch.js'
import { BatchedStatements } from './batched-statements.js'
import { checkProblem, type ClientChecks, violatedCheck } from './client-checks.js'
import { databaseMetrics } from './database-metrics.js'
import { DatabaseOutage } from './database-outage.js'
import { DatabaseProblem } from './database-problem.js'
import { DatabaseStartup } from './database-startup.js'
import { findLockHolders } from './lock-holders.js'
import type { OutageKind } from './outage-kind.js'
import { poolOf } from './pool-options.js'
import { query, type QueryContext, runTypeOrmQuery } from './query.js'
import { isAskedFor, type RetryVerdict, StatementFailed } from './retry.js'
import { StatementRevisions } from './statement-revisions.js'
import { DURABILITY_BARRIER, type Row, type Run, type Statement } from './statement.js'

export type { Run, Statement } from './statement.js'

interface Attempt {
  /** By `performance.now()`. */
  readonly deadline: number
  /** Set after a batch has failed: its calls are retried one by one. */
  readonly unbatched: boolean
  executed: boolean
}

type Retryable = Pick<StatementFailed, 'cause' | 'isShared' | 'isCut'> & {
  readonly verdict: Exclude<RetryVerdict, 'final'>
}

/**
 * The PostgreSQL database of a service, and the only code that retries statements, so that requests survive a
 * failover. A statement that was certainly not applied is retried on a new connection until the request's
 * deadline, or for `DB_WAIT_MS` outside a request; then the request gets 503. If a write may have been applied,
 * `write` passes that on to the retry, which looks for the write's operation id.
 */
export class Database implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly outage: DatabaseOutage
  private readonly ownProblem: DatabaseProblem
  private readonly startup: DatabaseStartup
  private readonly batched: BatchedStatements
  private readonly context: QueryContext

  constructor(
    dataSource: DataSource,
    private readonly env: Pick<DatabaseEnv, 'DB_WAIT_MS' | 'DB_BATCH_MAX' | 'DB_POOL_MAX'>,
    private readonly log: Logger,
    private readonly metrics = databaseMetrics(),
    private readonly clientChecks: ClientChecks = {},
  ) {
    this.outage = new DatabaseOutage(log, () => findLockHolders(poolOf(dataSource)))
    this.startup = new DatabaseStartup(dataSource, this.outage, log, metrics.workers)
    this.ownProblem = new DatabaseProblem(dataSource)
    this.context = { dataSource, metrics, revisions: new StatementRevisions() }
    this.batched = new BatchedStatements(this.context, env)
  }

  /** Does not wait for the database: the process serves requests before its database is up. */
  onApplicationBootstrap() {
    this.startup.start()
  }

  async onApplicationShutdown() {
    await this.startup.close()
  }

  /** Whether this process has ever reached the database with every migration that this code needs. */
  get isOpen(): boolean {
    return this.startup.isOpen
  }

  /** Whether calls arrive faster than the database executes them. */
  get isBehind(): boolean {
    return this.batched.isBehind
  }

  /** What prevents this process from opening the database, for the middle of a sentence. */
  get waitingFor(): string {
    return this.startup.waitingFor
  }

  /** Reads with SQL statements, and retries after any lost connection until the deadline. */
  async read<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return this.withRetries((attempt) => work(this.runOf(attempt)))
  }

  /** Reads with TypeORM's repositories, and retries as `read` does. Metrics and traces contain the `name`. */
  async find<T>(name: string, work: (orm: EntityManager) => Promise<T>): Promise<T> {
    return this.withRetries(({ deadline }) => runTypeOrmQuery(this.context, name, deadline, work))
  }

  /**
   * Writes with `work`, which stores an operation id that is unique in the database. If `retried` is true, an
   * earlier attempt may have been committed: `work` must look for its operation id before it reports a
   * conflict or a missing row.
   *
   * @throws Problem 503 if the database does not respond before the deadline; the write may have been applied
   */
  async write<T>(work: (run: Run, retried: boolean) => Promise<T>): Promise<T> {
    let isInDoubt = false
    const deadline = this.newDeadline()
    const result = await this.withRetries(
      (attempt) => work(this.runOf(attempt), isInDoubt),
      deadline,
      () => (isInDoubt = true),
    )
    if (isInDoubt) await this.awaitDurable(deadline)
    return result
  }

  /**
   * Commits a transaction, and so waits until the standby has every commit read so far. A result that was
   * found rather than written needs this: after a crash PostgreSQL shows commits that no standby received.
   */
  async awaitDurable(deadline = this.newDeadline()): Promise<void> {
    await this.withRetries((attempt) => this.runOf(attempt)(DURABILITY_BARRIER, [{}]), deadline)
  }

  /** What is wrong with the database, if anything: with what this process needs of it, or with its statements. */
  async problem(): Promise<OutageKind | undefined> {
    return this.outage.kind ?? this.ownProblem.find()
  }

  /** The deadline of the current request, or of an operation outside a request. */
  private newDeadline(): number {
    return performance.now() + timeLeftMs(this.env.DB_WAIT_MS)
  }

  private runOf(attempt: Attempt): Run {
    const run = async (statement: Statement, values: readonly unknown[]): Promise<Row[]> => {
      const rows = statement.batched
        ? await this.batched.run(statement, values[0] as object, attempt)
        : await query(this.context, statement, values, attempt.deadline)
      attempt.executed = true
      return rows
    }
    return run as Run
  }

  private async withRetries<T>(
    work: (attempt: Attempt) => Promise<T>,
    deadline = this.newDeadline(),
    onDoubt: () => void = () => undefined,
  ): Promise<T> {
    const isOpen = this.startup.isOpen || (await this.startup.untilOpen(deadline))
    if (!isOpen) throw this.unavailable(this.outage.cause)
    let unbatched = false
    let first: Retryable | undefined
    for (let pauseMs = 25; ; pauseMs = Math.min(pauseMs * 2, 400)) {
      const attempt: Attempt = { deadline, unbatched, executed: false }
      try {
        const result = await work(attempt)
        this.outage.succeeded()
        return result
      } catch (error) {
        const failure = this.failureOf(error, first)
        const { cause, verdict, isShared } = failure
        if (!first || first.isCut) first = failure
        // An earlier statement of the attempt may have been committed, even if the failed one was not.
        if (verdict === 'in_doubt' || attempt.executed) onDoubt()
        unbatched ||= isShared
        const waitMs = verdict === 'conflict' ? 0 : pauseMs * (0.5 + Math.random() / 2)
        const endsInTime = performance.now() + waitMs < deadline
        if (this.startup.isClosed || !endsInTime) throw this.unavailable(first.cause)
        this.metrics.retries[verdict].inc()
        this.log.debug({ err: cause, verdict }, 'retrying a statement')
        await sleep(waitMs)
      }
    }
  }

  /**
   * The failure of a statement that can be retried.
   * @throws Problem 503 after the deadline, and any error that is final
   */
  private failureOf(error: unknown, first: Retryable | undefined): Retryable {
    if (error instanceof DeadlineExceeded) {
      this.outage.failed(error.cause ?? error)
      // The deadline often passes while calls wait for one that failed: its cause explains theirs.
      error.cause ??= first?.cause ?? this.outage.cause
      throw this.unavailable(error)
    }
    const failure = error instanceof StatementFailed ? error : new StatementFailed(error, 'sent')
    const { cause, verdict, isShared, isCut } = failure
    if (verdict === 'final') throw this.finalError(cause)
    // Neither a conflict with another transaction nor a retry that the write asks for is an outage.
    const isExpected = verdict === 'conflict' || isAskedFor(cause)
    if (!isExpected && (first || !isCut)) this.outage.failed(cause)
    return { cause, verdict, isShared, isCut }
  }

  /** The DTO of a request should have rejected a value that violates a CHECK, so the violation is logged. */
  private finalError(cause: unknown): unknown {
    const constraint = violatedCheck(cause, this.clientChecks)
    if (constraint === undefined) return cause
    this.log.warn({ constraint }, 'a CHECK rejected a value that validation accepts')
    return checkProblem(constraint, this.clientChecks)
  }

  private unavailable(cause?: unknown): Problem {
    this.metrics.unavailable.inc()
    return new Problem(
      HTTP_PROBLEMS.unavailable,
      'The database is unavailable. A write may have been applied: repeat it with the same idempotency key.',
      { retryAfterSeconds: 2 },
      { cause },
    )
  }
}
