import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database } from '@malipo/kit/postgres/database'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Gauge, Registry } from 'prom-client'
import { AttemptCalls } from '../attempts/attempt-calls.js'
import { Clients } from '../attempts/clients.js'
import { countParked, matchedFrom, matchParked } from './parked.statement.js'

const INTERVAL_MS = 60_000
const BATCH_SIZE = 64

/**
 * Matches parked callbacks to attempts. An attempt may be unknown to a restored database, and a provider that makes the
 * reference may send the callback before its answer to the request.
 */
@Injectable()
export class ParkedCallbacks {
  private readonly parked: Gauge<'account'>

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Clients) private readonly clients: Clients,
    @Inject(AttemptCalls) private readonly calls: AttemptCalls,
    @Inject(Registry) registry: Registry,
    @Inject(Workers) workers: Workers,
  ) {
    this.parked = new Gauge({
      name: 'callbacks_parked',
      help: 'Callbacks by account that have named no known attempt for 24 hours, at most 1000',
      labelNames: ['account'],
      registers: [registry],
    })
    const run = () => this.match()
    workers.add({ name: 'parked_callbacks', intervalMs: INTERVAL_MS, run })
  }

  private async match() {
    const now = new Date(databaseNow())
    for (const account of this.clients.names) {
      await this.matchOf(account, matchedFrom(now))
      const parked = await this.database.read((run) => countParked(run, account, now))
      this.parked.set({ account }, parked)
    }
  }

  private async matchOf(account: string, from: string) {
    for (let after: string | undefined = from; after !== undefined;) {
      const start: string = after
      const page = await this.database.write((run) => matchParked(run, account, start, BATCH_SIZE))
      if (page.matched > 0) this.calls.wake(account, 'query')
      after = page.next
    }
  }
}
