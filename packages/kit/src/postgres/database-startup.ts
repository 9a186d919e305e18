import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import type { Logger } from '../telemetry/logger.js'
import { withTimeout } from '../worker/with-timeout.js'
import { queryOnce } from './query.js'
import { initialize, poolOf } from './typeorm-query.js'

/** How often a database that is down or not migrated yet is checked again. */
const RETRY_EVERY_MS = 250
const LOG_EVERY = 20
const UNDEFINED_TABLE = '42P01'

/** Connects to the database and waits for its migrations, in the background of a process that already serves. */
export class DatabaseStartup {
  private state: 'unreachable' | 'unmigrated' | 'open' | 'closed' = 'unreachable'
  private readonly opened = Promise.withResolvers<boolean>()

  constructor(
    private readonly dataSource: DataSource,
    private readonly log: Logger,
  ) {}

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

  async open(): Promise<void> {
    for (let tries = 0; this.state !== 'closed'; tries++) {
      try {
        if (!this.dataSource.isInitialized) await initialize(this.dataSource)
        if (!(await this.lacksMigrations())) break
        this.state = 'unmigrated'
      } catch (error) {
        if (tries % LOG_EVERY === 0) this.log.warn({ err: error }, 'waiting for the database')
      }
      await sleep(RETRY_EVERY_MS, undefined, { ref: false })
    }
    if (this.state === 'closed') return
    this.state = 'open'
    this.log.info('the database is open')
    this.opened.resolve(true)
  }

  async close(): Promise<void> {
    this.state = 'closed'
    this.opened.resolve(false)
    if (this.dataSource.isInitialized) await this.dataSource.destroy()
  }

  /** Resolves to false when the database is not open by `deadline`, ms since the epoch, or is closed. */
  async untilOpen(deadline: number): Promise<boolean> {
    const timeoutMs = Math.max(0, deadline - Date.now())
    return (await withTimeout(this.opened.promise, timeoutMs)) ?? false
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
