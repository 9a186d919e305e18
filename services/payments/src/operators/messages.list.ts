import { type Page, pageOf } from '@malipo/kit/http/page'
import type { Database } from '@malipo/kit/postgres/database'
import type { EntityManager } from 'typeorm'
import type { MessageKind } from '../messages/message-insert.js'
import {
  MESSAGE_VIEW_COLUMNS,
  type MessageOutcome,
  sourceOf,
  type StoredMessage,
} from './message.view.js'

/** Filters of a list. Unset fields match every message. */
export interface MessageFilter {
  readonly outcome?: MessageOutcome
  readonly kind?: MessageKind
  readonly account?: string
  readonly attempt?: string
  readonly limit: number
  /** The last id of the previous page. */
  readonly after?: string
}

/** Newest first. A message's id contains the time at which it was received. */
export async function listMessages(
  database: Database,
  filter: MessageFilter,
): Promise<Page<StoredMessage>> {
  const found = await database.find('provider_message_list', (orm) =>
    selectMessages(orm, filter).getRawMany<StoredMessage>(),
  )
  return pageOf(found, filter.limit)
}

/** The outcomes of most messages. Messages with another one have an index. */
const COMMON: readonly MessageOutcome[] = ['applied', 'stored', 'unchanged']
const IS_RARE = `message.outcome NOT IN (${COMMON.map((outcome) => `'${outcome}'`).join(', ')})`

export function selectMessages(orm: EntityManager, filter: MessageFilter) {
  const { outcome, kind, account, attempt, after } = filter
  const select = orm
    .createQueryBuilder()
    .select(MESSAGE_VIEW_COLUMNS)
    .from('provider_messages', 'message')
  if (outcome !== undefined) {
    select.andWhere('message.outcome = :outcome', { outcome })
    // A parameter does not show that a partial index applies.
    if (!COMMON.includes(outcome)) select.andWhere(IS_RARE)
  }
  if (kind !== undefined) {
    select.andWhere('message.kind = :kind', { kind })
    if (kind === 'webhook' || kind === 'callback') {
      select.andWhere(`message.kind IN ('webhook', 'callback')`)
    }
  }
  if (account !== undefined) {
    select.andWhere('message.source = :source', { source: sourceOf(account) })
  }
  if (attempt !== undefined) select.andWhere('message.attempt_id = :attempt', { attempt })
  if (after !== undefined) select.andWhere('message.id < :after', { after })
  // One row beyond the limit shows that there is a next page.
  return select.orderBy('message.id', 'DESC').limit(filter.limit + 1)
}
