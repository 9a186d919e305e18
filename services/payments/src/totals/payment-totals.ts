import { Database } from '@malipo/kit/postgres/database'
import { transactionLease } from '@malipo/kit/postgres/lease'
import { PolledValue } from '@malipo/kit/worker/polled-value'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { foldEvents } from './fold.store.js'
import { readSnapshot } from './snapshot.store.js'
import { registerTotals } from './totals-metrics.js'

const FOLD_EVERY_MS = 2_000
/** Events per fold. A fold of thousands would occupy a core of the database, and requests would wait. */
const BATCH_SIZE = 500

/**
 * Counts payments and sums their amounts by status, method and currency, in a database table. A restart loses
 * no count, requests need not update the table, and a scrape does not read the database. One replica at a
 * time folds new events into the table; every replica reports the table's values.
 */
@Injectable()
export class PaymentTotals {
  constructor(
    @Inject(Database) database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) registry: Registry,
  ) {
    const snapshot = new PolledValue(workers, 'payment_totals_read', () =>
      database.read(readSnapshot),
    )
    registerTotals(registry, () => snapshot.value)
    workers.add({
      name: 'payment_totals_fold',
      role: 'worker',
      intervalMs: FOLD_EVERY_MS,
      lease: transactionLease(database, 'payment_totals_fold'),
      run: async (run) => {
        const folded = await foldEvents(run, BATCH_SIZE)
        return folded < BATCH_SIZE ? undefined : 'more'
      },
    })
  }
}
