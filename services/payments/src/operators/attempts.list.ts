import { type Page, pageOf } from '@malipo/kit/http/page'
import type { Database } from '@malipo/kit/postgres/database'
import type { EntityManager } from 'typeorm'
import { type AttemptState, isClosed } from '../attempts/states.js'
import { ATTEMPT_COLUMNS, type StoredAttempt } from './attempt.view.js'

/** Filters of a list. Unset fields match every attempt. */
export interface AttemptFilter {
  readonly attention?: boolean
  readonly account?: string
  readonly state?: AttemptState
  readonly paymentId?: string
  readonly limit: number
  /** The last id of the previous page. */
  readonly after?: string
}

/** Newest first. UUIDv7 ids sort by creation. */
export async function listAttempts(
  database: Database,
  filter: AttemptFilter,
): Promise<Page<StoredAttempt>> {
  const found = await database.find('attempt_list', (orm) =>
    selectAttempts(orm, filter).getRawMany<StoredAttempt>(),
  )
  return pageOf(found, filter.limit)
}

export function selectAttempts(orm: EntityManager, filter: AttemptFilter) {
  const { attention, account, state, paymentId, after } = filter
  const select = orm
    .createQueryBuilder()
    .select(ATTEMPT_COLUMNS)
    .from('payment_attempts', 'attempt')
    .innerJoin('payments', 'payments', 'payments.id = attempt.payment_id')
  if (attention !== undefined) {
    select.andWhere(`attempt.attention IS ${attention ? 'NOT NULL' : 'NULL'}`)
  }
  if (account !== undefined) select.andWhere('attempt.account = :account', { account })
  if (state !== undefined) {
    select.andWhere('attempt.state = :state', { state })
    select.andWhere(implied(state))
  }
  if (paymentId !== undefined) select.andWhere('attempt.payment_id = :paymentId', { paymentId })
  if (after !== undefined) select.andWhere('attempt.id < :after', { after })
  // One row beyond the limit shows that there is a next page.
  return select.orderBy('attempt.id', 'DESC').limit(filter.limit + 1)
}

/** A condition that holds in a state, and for which there is a smaller relation or index. */
function implied(state: AttemptState): string {
  if (!isClosed(state)) return 'attempt.id IN (SELECT attempt_id FROM attempt_work)'
  return `attempt.failure IS ${state === 'succeeded' ? 'NULL' : 'NOT NULL'}`
}
