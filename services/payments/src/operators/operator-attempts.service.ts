import { Problem } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { isUUID } from 'class-validator'
import { AttemptCalls } from '../attempts/attempt-calls.js'
import { Clients } from '../attempts/clients.js'
import { isQueryable } from '../attempts/queryable.js'
import type { Caller } from '../caller/scopes.js'
import { noAttempt, PROBLEMS } from '../problems.js'
import { readAttempt, readEvents, readMessages, readWork } from './attempt-detail.store.js'
import type { StoredAttempt } from './attempt.view.js'
import { findOpenProposals } from './proposals.store.js'
import { queryByOperator } from './query.store.js'

/** What operators see of attempts, and the queries that they ask for. */
@Injectable()
export class OperatorAttempts {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Clients) private readonly clients: Clients,
    @Inject(AttemptCalls) private readonly calls: AttemptCalls,
  ) {}

  /** @throws Problem 404 */
  async find(id: string): Promise<StoredAttempt> {
    const found = isUUID(id) ? await this.database.read((run) => readAttempt(run, id)) : undefined
    if (!found) throw noAttempt()
    return found
  }

  /**
   * An attempt with all that is known of it.
   *
   * @throws Problem 404
   */
  async detail(id: string) {
    const attempt = await this.find(id)
    return this.database.read(async (run) => ({
      attempt,
      events: await readEvents(run, id),
      work: (await readWork(run, id)) ?? null,
      messages: await readMessages(run, id),
      proposals: await findOpenProposals(run, id),
    }))
  }

  /**
   * Makes the query of an attempt due now.
   *
   * @throws Problem 404; 409 if the provider can't be asked for it
   */
  async query(caller: Caller, id: string): Promise<StoredAttempt> {
    const { account, providerReference, state } = await this.find(id)
    const client = this.clients.find(account)
    if (!client) throw notQueryable(`The account ${account} is closed.`)
    if (state !== 'queued' && !isQueryable(client.adapter, providerReference)) {
      throw notQueryable('The provider’s reference of the charge is unknown.')
    }
    const action = { id: newUuid(), operator: caller.id, action: 'query' } as const
    const queried = await this.database.write((run) => queryByOperator(run, id, undefined, action))
    if (!queried?.isDue) throw notQueryable('The attempt is queued: nothing was sent yet.')
    this.calls.wake(account, 'query')
    return this.find(id)
  }
}

function notQueryable(detail: string): Problem {
  return new Problem(PROBLEMS.attemptState, detail)
}
