import { Database, type Statement } from '@malipo/kit/postgres/database'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'

/** The injection token of RECOVERY_ID. */
export const RECOVERY_ID = Symbol('recovery id')

const INTERVAL_MS = 2_000

const FIND: Statement = {
  name: 'recovery_find',
  text: 'SELECT true AS found FROM recoveries WHERE id = $1',
}

/**
 * After a restore, no provider is called until the command `recover` has put in doubt what the restored database does
 * not know. Without RECOVERY_ID, calls begin at once.
 */
@Injectable()
export class RecoveryGate {
  private isRecorded: boolean

  constructor(
    @Inject(RECOVERY_ID) private readonly id: string | undefined,
    @Inject(Database) private readonly database: Database,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Workers) workers: Workers,
  ) {
    this.isRecorded = id === undefined
    if (this.isRecorded) return
    this.log.warn({ recovery: id }, 'no provider is called until `recover` has recorded this id')
    workers.add({ name: 'recovery', intervalMs: INTERVAL_MS, run: () => this.check() })
  }

  get isOpen(): boolean {
    return this.isRecorded
  }

  private async check() {
    const found = await this.database.read((run) => run(FIND, [this.id]))
    if (found.length === 0) return undefined
    this.isRecorded = true
    this.log.info({ recovery: this.id }, 'the recovery is recorded: providers are called')
    return 'done' as const
  }
}
