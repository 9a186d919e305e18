import { Database } from '@malipo/kit/postgres/database'
import { LOG } from '@malipo/kit/kit.module'
import type { Logger } from '@malipo/kit/telemetry/logger'
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common'
import { forgetKeys } from './keys.store.js'

/** Keys are kept for 24 h at least; twice that, so that a client's clock and ours may differ. */
const KEPT_MS = 48 * 3_600_000
const EVERY_MS = 600_000
const AT_ONCE = 1_000

/** Forgets old idempotency keys, a bounded number at a time; replicas skip each other's rows. */
@Injectable()
export class KeySweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap() {
    this.timer = setInterval(() => void this.sweep(), EVERY_MS).unref()
  }

  onModuleDestroy() {
    clearInterval(this.timer)
  }

  /** @returns how many keys it forgot */
  async sweep(now = Date.now()): Promise<number> {
    const before = new Date(now - KEPT_MS)
    let forgotten = 0
    try {
      for (let some = AT_ONCE; some === AT_ONCE; forgotten += some) {
        some = await this.database.write((run) => forgetKeys(run, before, AT_ONCE))
      }
    } catch (error) {
      this.log.warn({ err: error }, 'old idempotency keys could not be forgotten')
    }
    if (forgotten > 0) this.log.info({ forgotten }, 'old idempotency keys are forgotten')
    return forgotten
  }
}
