import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Outage } from '@malipo/kit/telemetry/outage'
import { requestContext } from '@malipo/kit/telemetry/request-context'
import { currentSpanLink, withSharedSpan } from '@malipo/kit/telemetry/tracing'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import {
  CALLBACK_STORE,
  type CallbackStore,
  type IncomingCallback,
  type KnownCallback,
} from './callback-store.js'

/** While the database is slow, callbacks may be answered faster than they are applied. */
const MAX_APPLYING = 1_000
/** An outage ends when no application has failed for this long. */
const QUIET_MS = 5_000

/** A response, of which only the end matters. */
interface Response {
  readonly closed: boolean
  once(event: 'close', listener: () => void): unknown
}

/**
 * Applies signed callbacks after their answer, so that the provider waits only until the bytes are stored. A callback
 * that is not applied triggers a query, as every stored one does.
 */
@Injectable()
export class CallbackApplier implements OnApplicationShutdown {
  private readonly applying = new Set<Promise<void>>()
  private readonly outage: Outage

  constructor(
    @Inject(CALLBACK_STORE) private readonly store: CallbackStore,
    @Inject(LOG) log: Logger,
  ) {
    this.outage = new Outage(log.child({ part: 'callbacks' }), 'applying signed callbacks')
  }

  /** Waits for the response's end, or its client's. */
  applyAfter(response: Response, callback: IncomingCallback, stored: KnownCallback) {
    const link = currentSpanLink()
    const start = () =>
      requestContext.exit(() => withSharedSpan([link], () => this.start(callback, stored)))
    if (response.closed) start()
    else response.once('close', start)
  }

  /** The database's pool closes afterwards. */
  async onApplicationShutdown() {
    await Promise.all(this.applying)
  }

  private start(callback: IncomingCallback, stored: KnownCallback) {
    if (this.applying.size >= MAX_APPLYING) {
      const cause = new Error(`more than ${MAX_APPLYING} callbacks wait`)
      return this.outage.begin(cause, { account: callback.account })
    }
    const applied = this.apply(callback, stored)
    this.applying.add(applied)
    void applied.finally(() => this.applying.delete(applied))
  }

  private async apply(callback: IncomingCallback, stored: KnownCallback) {
    try {
      await this.store.apply(callback, stored)
      this.outage.endIfQuiet(QUIET_MS)
    } catch (error) {
      this.outage.begin(error, { account: callback.account })
    }
  }
}
