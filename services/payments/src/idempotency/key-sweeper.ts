import { Database } from '@malipo/kit/postgres/database'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { deleteKeys } from './keys.store.js'

/** The contract promises 24 hours; twice that allows for clocks that differ. */
const RETENTION_MS = 48 * 3_600_000
const INTERVAL_MS = 600_000
const BATCH_SIZE = 1_000

/** Deletes expired idempotency keys in batches. Replicas skip rows that another one has locked. */
@Injectable()
export class KeySweeper {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) workers: Workers,
  ) {
    workers.add({
      name: 'idempotency_keys_sweep',
      intervalMs: INTERVAL_MS,
      run: async () => ((await this.sweep()) < BATCH_SIZE ? undefined : 'more'),
    })
  }

  /** Deletes one batch; @returns how many keys it deleted */
  sweep(now = Date.now()): Promise<number> {
    const before = new Date(now - RETENTION_MS)
    return this.database.write((run) => deleteKeys(run, before, BATCH_SIZE))
  }
}
