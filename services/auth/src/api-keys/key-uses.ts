import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database } from '@malipo/kit/postgres/database'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common'
import { recordUses } from './api-keys.store.js'

const INTERVAL_MS = 60_000

/**
 * Collects when this replica validated keys, and writes it once a minute. Other services validate a key that they have
 * cached again after `TOKEN_CACHE_TTL_MS`, so the last use of a key is known to a minute or two.
 */
@Injectable()
export class KeyUses implements OnModuleDestroy {
  private uses = new Map<string, number>()

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) workers: Workers,
  ) {
    workers.add({ name: 'key_uses', intervalMs: INTERVAL_MS, run: () => this.write() })
  }

  add(keyId: string): void {
    // The full minute, so that the row of a key in use changes once a minute.
    this.uses.set(keyId, Math.floor(databaseNow() / INTERVAL_MS) * INTERVAL_MS)
  }

  /** Writes what was collected. What fails is written by the next run. */
  async write(): Promise<void> {
    const uses = this.uses
    if (uses.size === 0) return
    this.uses = new Map()
    try {
      const rows = [...uses].map(([id, at]) => ({ id, at: new Date(at).toISOString() }))
      await this.database.write((run) => recordUses(run, rows))
    } catch (error) {
      this.uses = new Map([...uses, ...this.uses])
      throw error
    }
  }

  /** Uses during the drain that follows are lost. */
  async onModuleDestroy(): Promise<void> {
    await this.write().catch(() => undefined)
  }
}
