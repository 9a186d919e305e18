import type { DataSource } from 'typeorm'
import type { Logger } from '../telemetry/logger.js'
import { withTimeout } from '../worker/with-timeout.js'
import { type RunResult, Worker, type WorkerMetrics } from '../worker/worker.js'
import { measureClock } from './clock.js'
import type { DatabaseOutage } from './database-outage.js'
import { outageKind } from './outage-kind.js'
import { driverOf, poolOf, QUERY_TIMEOUT_MS } from './pool-options.js'
import { closeConnection } from './query.js'

/** Longer than the timeouts of a connection attempt and a query together. */
const INITIALIZE_TIMEOUT_MS = 17_000
const UNDEFINED_TABLE = '42P01'

/** Connects to the database and waits for its migrations, while the process already serves requests. */
export class DatabaseStartup {
  isOpen = false
  isClosed = false
  waitingFor = 'the database'
  private readonly opened = Promise.withResolvers<boolean>()
  private readonly worker: Worker

  constructor(
    private readonly dataSource: DataSource,
    private readonly outage: DatabaseOutage,
    private readonly log: Logger,
    metrics: WorkerMetrics,
  ) {
    const options = { name: 'database_startup', intervalMs: 250, run: () => this.tryToOpen() }
    this.worker = new Worker(options, log, metrics)
  }

  start() {
    this.worker.start()
  }

  async close(): Promise<void> {
    this.isOpen = false
    this.isClosed = true
    this.opened.resolve(false)
    await this.worker.stop()
    if (this.dataSource.isInitialized) await this.dataSource.destroy()
  }

  /** Resolves to true when the database opens, or to false at `deadline` (by `performance.now()`) or on close. */
  async untilOpen(deadline: number): Promise<boolean> {
    const timeoutMs = Math.max(0, deadline - performance.now())
    return (await withTimeout(this.opened.promise, timeoutMs)) ?? false
  }

  private async tryToOpen(): Promise<RunResult> {
    try {
      return await this.open()
    } catch (error) {
      this.waitingFor = `the database (${outageKind(error)})`
      this.outage.failed(error)
      return undefined
    }
  }

  private async open(): Promise<RunResult> {
    if (!this.dataSource.isInitialized) await this.initialize()
    const isMigrated = await this.isMigrated()
    if (this.isClosed) return 'done'
    if (!isMigrated) {
      this.waitingFor = 'the migrations of this release'
      this.outage.failed(new Error('The migrations of this release have not been applied'))
      return undefined
    }
    await this.measureClock()
    this.isOpen = true
    this.log.info('the database is open')
    this.outage.end()
    this.opened.resolve(true)
    return 'done'
  }

  /** Connects TypeORM. After a timeout, closes its connections, so that pending queries fail. */
  private async initialize(): Promise<void> {
    const timer = setTimeout(() => {
      for (const runner of driverOf(this.dataSource).connectedQueryRunners) {
        void closeConnection(runner)
      }
    }, INITIALIZE_TIMEOUT_MS)
    await this.dataSource.initialize().finally(() => clearTimeout(timer))
  }

  /** Before the first request, whose ids contain the time. */
  private measureClock(): Promise<void> {
    return measureClock(async ({ text }) => {
      const query = { text, query_timeout: QUERY_TIMEOUT_MS }
      return (await poolOf(this.dataSource).query(query)).rows as never
    })
  }

  private async isMigrated(): Promise<boolean> {
    const query = { text: 'SELECT name FROM migrations', query_timeout: QUERY_TIMEOUT_MS }
    try {
      const { rows } = await poolOf(this.dataSource).query<{ name: string }>(query)
      const applied = new Set(rows.map(({ name }) => name))
      return this.dataSource.migrations.every(({ name }) => !name || applied.has(name))
    } catch (error) {
      if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return false
      throw error
    }
  }
}
