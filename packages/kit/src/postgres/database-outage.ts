import type { Logger } from '../telemetry/logger.js'
import { Outage } from '../telemetry/outage.js'
import { DeadlineExceeded } from '../worker/batch.js'
import { type OutageKind, outageKind } from './outage-kind.js'
import { StatementTimeout } from './retry.js'

/**
 * An outage ends when statements succeed and none has failed for this long, ms: while rows are locked, a disk is
 * full or a server is read-only, some succeed and others fail. This exceeds the time limit of a statement.
 */
const QUIET_MS = 7_000
/** How long `kind` reports a failure, ms: retries are more frequent, unless statements hang. */
const RECENT_MS = 2_000

/** Logs when operations begin to wait for the database, and when it works again. */
export class DatabaseOutage {
  /** The first cause; later ones often only follow from it. Undefined while the database works. */
  private first: unknown
  private readonly outage: Outage
  private latestKind: OutageKind | undefined
  private failedAt = -Infinity

  /** @param findLockHolders describes the sessions that hold a lock which a statement waits for */
  constructor(
    log: Logger,
    private readonly findLockHolders: () => Promise<readonly string[]>,
  ) {
    this.outage = new Outage(log, 'the database')
  }

  get cause(): unknown {
    return this.first
  }

  /** The kind of the latest failure if an operation has failed a moment ago. */
  get kind(): OutageKind | undefined {
    return performance.now() < this.failedAt + RECENT_MS ? this.latestKind : undefined
  }

  failed(cause: unknown) {
    this.failedAt = performance.now()
    // The end of a wait does not say what the operation waited for: a lock, for example.
    const isEndOfWait = cause instanceof DeadlineExceeded || cause instanceof StatementTimeout
    if (isEndOfWait) this.latestKind ??= 'unreachable'
    else this.latestKind = outageKind(cause)
    if (this.outage.isActive) this.outage.begin(cause)
    if (this.first !== undefined) return
    this.first = cause
    if (outageKind(cause) === 'locked') void this.beginWithHolders(cause)
    else this.outage.begin(cause)
  }

  /** Called for each operation that succeeds. */
  succeeded() {
    if (!this.outage.isActive) return
    this.outage.endIfQuiet(QUIET_MS)
    if (!this.outage.isActive) this.forget()
  }

  end() {
    this.outage.end()
    this.forget()
  }

  private forget() {
    this.first = undefined
    this.latestKind = undefined
  }

  private async beginWithHolders(cause: unknown) {
    const lockedBy = await this.findLockHolders()
    this.outage.begin(cause, lockedBy.length > 0 ? { lockedBy } : {})
  }
}
