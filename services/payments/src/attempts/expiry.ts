import { Database } from '@malipo/kit/postgres/database'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { ProviderAccounts } from '../providers/provider-accounts.js'
import { findUnsendable } from './attempt.store.js'
import { Conclusions } from './conclusions.service.js'
import { RecoveryGate } from './recovery-gate.js'

const INTERVAL_MS = 1_000
const BATCH_SIZE = 64

/** Ends attempts that were not sent in time, or whose account is draining: surely nothing was sent. */
@Injectable()
export class Expiry {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(ProviderAccounts) private readonly accounts: ProviderAccounts,
    @Inject(Conclusions) private readonly conclusions: Conclusions,
    @Inject(RecoveryGate) private readonly gate: RecoveryGate,
    @Inject(Workers) workers: Workers,
  ) {
    workers.add({
      name: 'attempt_expiry',
      role: 'worker',
      intervalMs: INTERVAL_MS,
      run: async () => ((await this.expire()) < BATCH_SIZE ? undefined : 'more'),
    })
  }

  private async expire(): Promise<number> {
    const { all } = this.accounts
    if (all.length === 0 || !this.gate.isOpen) return 0
    const names = all.map(({ name }) => name)
    const draining = all.filter(({ state }) => state !== 'active').map(({ name }) => name)
    const found = await this.database.read((run) =>
      findUnsendable(run, names, draining, BATCH_SIZE),
    )
    await Promise.all(found.map((each) => this.end(each, draining)))
    return found.length
  }

  private async end(
    { attemptId, account }: { attemptId: string; account: string },
    draining: readonly string[],
  ): Promise<void> {
    await this.conclusions.apply(account, {
      attemptId,
      cause: 'expiry',
      actor: account,
      to: 'not_sent',
      // A replica may have claimed the attempt meanwhile.
      from: ['queued'],
      failure: draining.includes(account) ? 'not_sent' : 'provider_unavailable',
    })
  }
}
