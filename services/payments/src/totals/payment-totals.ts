import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@malipo/kit/postgres/database'
import type { Logger } from '@malipo/kit/telemetry/logger'
import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common'
import type { Registry } from 'prom-client'
import { figures } from './figures.store.js'
import { fold } from './fold.store.js'
import { type Figures, tellTotals } from './totals-metrics.js'

/**
 * Sums of money by status, method and currency, kept as payments move. The truth is the database's: one
 * replica at a time counts new events into a table, every two seconds, so no request pays for it, a restart
 * loses nothing, and a scrape reads a few rows. The replica that counts is also the one that reports.
 */

const EVERY_MS = 2_000
/**
 * Events that one statement counts, a pause after it, and statements of one round: a core that counts thousands
 * at once is away from everyone's requests for as long, and a backlog leaves room for others.
 */
const AT_ONCE = 500
const PAUSE_MS = 20
const IN_A_ROUND = 100
/** What is open is looked at in every so many rounds. */
const LOOK_EVERY = 5
/** Who can't reach the database for longer than its lease no longer knows whether it leads. */
const GOOD_FOR_MS = 15_000

export class Totals implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined
  private hasEnded = false
  private wasAway = false
  private rounds = 0
  private told: { readonly figures: Figures; readonly at: number } | undefined

  constructor(
    private readonly database: Database,
    private readonly log: Logger,
    registry: Registry,
  ) {
    tellTotals(registry, () => this.figures)
  }

  onApplicationBootstrap() {
    this.later()
  }

  onModuleDestroy() {
    this.hasEnded = true
    clearTimeout(this.timer)
    this.told = undefined
  }

  /** What this replica tells, if it is the one that leads. */
  get figures(): Figures | undefined {
    const { told } = this
    return told && performance.now() - told.at < GOOD_FOR_MS ? told.figures : undefined
  }

  /** One round: counts what is new. */
  async round(): Promise<void> {
    await this.bitByBit(async () => {
      const taken = await this.database.write((run) => fold(run, AT_ONCE))
      return { taken, isLast: taken < AT_ONCE }
    })
    await this.look()
  }

  /** Does a part after the other until the last one, or until others have waited enough; gives how many it took. */
  private async bitByBit(part: () => Promise<{ taken: number; isLast: boolean }>): Promise<number> {
    let counted = 0
    for (let n = 0; n < IN_A_ROUND && !this.hasEnded; n++) {
      if (n > 0) await sleep(PAUSE_MS)
      const { taken, isLast } = await part()
      counted += taken
      if (isLast) break
    }
    return counted
  }

  private async look() {
    const before = this.told?.figures
    const isDue = this.rounds++ % LOOK_EVERY === 0
    const fresh = await this.database.read(async (run) => ({
      totals: await figures(run, 'payments_entered'),
      open: before && !isDue ? before.open : await figures(run, 'payments'),
      oldest: before && !isDue ? before.oldest : await figures(run, 'payments_open_oldest'),
      lag: await figures(run, 'payment_totals'),
    }))
    this.told = { figures: fresh, at: performance.now() }
  }

  private later() {
    if (this.hasEnded) return
    const next = () => {
      void this.attempt().finally(() => this.later())
    }
    this.timer = setTimeout(next, EVERY_MS).unref()
  }

  private async attempt() {
    try {
      await this.round()
      this.wasAway = false
    } catch (error) {
      if (!this.wasAway) this.log.warn({ err: error }, 'totals wait: nothing can be counted')
      this.wasAway = true
    }
  }
}
