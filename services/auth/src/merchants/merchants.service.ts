import { Problem } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import { ownScopes, PROBLEMS, revocationPending } from '../problems.js'
import { pendingRevocationsOf } from '../revocations/outbox.store.js'
import { RevocationPublisher } from '../revocations/revocation-publisher.js'
import { closeMerchant } from './merchants.store.js'

/** Closes merchants: their keys, and the scopes and sessions of their users, end. Payments remain. */
@Injectable()
export class MerchantsService {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly publisher: RevocationPublisher,
  ) {}

  /** @throws Problem 403 for the operator's own merchant, 404, 503 while Redis is unavailable */
  async close(id: string, operator: string): Promise<void> {
    // The path may spell the id in upper case.
    if (id.toLowerCase() === operator) throw ownScopes()
    const isClosed = await this.database.write((run) => closeMerchant(run, id, operator))
    if (!isClosed) throw noMerchant()
    const pending = await this.database.read((run) => pendingRevocationsOf(run, id))
    if (!(await this.publisher.publish(pending))) throw revocationPending()
  }
}

export function noMerchant(): Problem {
  return new Problem(PROBLEMS.merchantNotFound, 'No merchant has this id.')
}
