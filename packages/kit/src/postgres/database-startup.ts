import type { DataSource } from 'typeorm'
import type { Logger } from '../telemetry/logger.js'
import { withTimeout } from '../worker/with-timeout.js'
import { type RunResult, Worker } from '../worker/worker.js'
import { WorkerMetrics } from '../worker/worker-metrics.js'
import { queryOnce } from './query.js'
import { initialize, poolOf } from './typeorm-query.js'

/** How often a database that is down or not migrated yet is checked again. */
const RETRY_EVERY_MS = 250
const UNDEFINED_TABLE = '42P01'

/** Connects to the database and waits for its migrations, in the background of a process that already serves. */
export class DatabaseStartup {
  private state: 'unreachable' | 'unmigrated' | 'open' | 'closed' = 'unreachable'
  private readonly opened = Promise.withResolvers<boolean>()
  private readonly worker: Worker

  constructor(
    private readonly dataSource: DataSource,
    private readonly log: Logger,
    metrics: WorkerMetrics,
  ) {
    const options = { name: 'database_startup', intervalMs: RETRY_EVERY_MS }
    this.worker = new Worker({ ...options, run: () => this.open() }, log, metrics)
  }

  get isOpen(): boolean {
    return this.state === 'open'
  }

  get isClosed(): boolean {
    return this.state === 'closed'
  }

  /** What the service waits for, as a text for people. */
  get waitingFor(): string {
    return this.state === 'unmigrated' ? 'the migrations of this release' : 'the database'
  }

  start() {
    this.worker.start()
  }

  async close(): Promise<void> {
    this.state = 'closed'
    this.opened.resolve(false)
    await this.worker.stop()
    if (this.dataSource.isInitialized) await this.dataSource.destroy()
  }

  /** Resolves to false when the database is not open by `deadline`, ms since the epoch, or is closed. */
  async untilOpen(deadline: number): Promise<boolean> {
    const timeoutMs = Math.max(0, deadline - Date.now())
    return (await withTimeout(this.opened.promise, timeoutMs)) ?? false
  }

  private async open(): Promise<RunResult> {
    if (!this.dataSource.isInitialized) await initialize(this.dataSource)
    const lacksMigrations = await this.lacksMigrations()
    if (this.isClosed) return 'done'
    this.state = lacksMigrations ? 'unmigrated' : 'open'
    if (lacksMigrations) return undefined
    this.log.info('the database is open')
    this.opened.resolve(true)
    return 'done'
  }

  /** Whether the database lacks a migration that this code has. */
  private async lacksMigrations(): Promise<boolean> {
    try {
      const rows = await queryOnce(poolOf(this.dataSource), 'SELECT name FROM migrations')
      const applied = new Set(rows.map(({ name }) => name))
      return this.dataSource.migrations.some(({ name }) => name !== undefined && !applied.has(name))
    } catch (error) {
      if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return true
      throw error
    }
  }
}
