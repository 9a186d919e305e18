import { type Page, pageOf } from '@malipo/kit/http/page'
import type { Database } from '@malipo/kit/postgres/database'
import type { EntityManager } from 'typeorm'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import { AuditEvent, type Kind } from './audit-event.entity.js'

/** Selects events; an unset field matches all. */
export interface Filter {
  readonly kind?: Kind
  readonly userId?: string
  /** Inclusive; `to` is exclusive. */
  readonly from?: Date
  readonly to?: Date
  readonly limit: number
  /** The id of the last event of the previous page. */
  readonly after?: string
}

/**
 * A page of events, newest first. Ids are UUIDv7, so one index supports the order, the cursor and the time
 * range.
 */
export async function listEvents(database: Database, filter: Filter): Promise<Page<AuditEvent>> {
  const found = await database.find('audit_list', (orm) => query(orm, filter).getMany())
  return pageOf(found, filter.limit)
}

function query(orm: EntityManager, { kind, userId, from, to, limit, after }: Filter) {
  const select = orm.getRepository(AuditEvent).createQueryBuilder('event')
  if (kind) select.andWhere('event.kind = :kind', { kind })
  if (userId) select.andWhere('event.userId = :userId', { userId })
  if (from) select.andWhere('event.id >= :from', { from: minUuidAt(from) })
  if (to) select.andWhere('event.id < :to', { to: minUuidAt(to) })
  if (after) select.andWhere('event.id < :after', { after })
  // One row beyond the limit shows that there is a next page.
  return select.orderBy('event.id', 'DESC').limit(limit + 1)
}
