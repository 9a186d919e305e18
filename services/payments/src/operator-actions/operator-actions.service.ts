import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import type { OperatorAction } from './operator-action.js'
import { recordAction } from './operator-actions.store.js'

/** Records what operators read. What they change is recorded by the statement of the change. */
@Injectable()
export class OperatorActions {
  constructor(@Inject(Database) private readonly database: Database) {}

  /** Resolves when the action is durable, so that no operator reads what is not recorded. */
  async record(action: Omit<OperatorAction, 'id'>): Promise<void> {
    const id = newUuid()
    await this.database.write((run) => recordAction(run, { ...action, id }))
  }
}
