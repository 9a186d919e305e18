import { Database } from '@malipo/kit/postgres/database'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import { OwnerReads } from '../payments/owner-reads.js'
import { AttemptCalls } from './attempt-calls.js'
import { requestQuery } from './wake.store.js'

/** The statement allows one early query of an attempt in this time; other reads need not execute it. */
const PAUSE_MS = 10_000
const MAX_REMEMBERED = 10_000
/** Reads wake the worker: it runs also without them, so that a failed statement is executed again. */
const INTERVAL_MS = 1_000
const BATCH_SIZE = 64

/** Queries a pending payment before its time when its owner reads it (rule R20). */
@Injectable()
export class EarlyQueries {
  private readonly recent = new LRUCache<string, true>({ max: MAX_REMEMBERED, ttl: PAUSE_MS })
  private readonly requested = new Set<string>()

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(AttemptCalls) private readonly calls: AttemptCalls,
    @Inject(OwnerReads) reads: OwnerReads,
    @Inject(Workers) workers: Workers,
  ) {
    const worker = workers.add({
      name: 'early_queries',
      intervalMs: INTERVAL_MS,
      run: async () => ((await this.request()) < BATCH_SIZE ? undefined : 'more'),
    })
    reads.onRead((paymentId) => {
      if (this.recent.has(paymentId)) return
      this.recent.set(paymentId, true)
      this.requested.add(paymentId)
      worker.wake()
    })
  }

  /** @returns for how many payments a query was requested */
  private async request(): Promise<number> {
    const ids = [...this.requested].slice(0, BATCH_SIZE)
    const accounts = await Promise.all(
      ids.map((id) => this.database.write((run) => requestQuery(run, id))),
    )
    for (const id of ids) this.requested.delete(id)
    for (const account of new Set(accounts)) if (account) this.calls.wake(account, 'query')
    return ids.length
  }
}
