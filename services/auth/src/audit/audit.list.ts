import type { Database } from '@malipo/kit/postgres/database'
import { AuditEvent, type Kind } from './audit-event.entity.js'

/** Which events to list; what is not set does not matter. */
export interface Filter {
  readonly kind?: Kind
  readonly userId?: string
  /** From this time on, and before that one. */
  readonly from?: Date
  readonly to?: Date
  readonly limit: number
  /** The id of the last event of the page before. */
  readonly cursor?: string
}

export interface Page {
  readonly data: AuditEvent[]
  readonly nextCursor: string | null
}

/**
 * A page of the audit trail, the last event first. Ids are UUIDv7, so their order is the order of time,
 * and one index serves the page, the cursor and the times.
 */
export async function listEvents(database: Database, filter: Filter): Promise<Page> {
  const found = await database.find('audit-list', () => query(database, filter).getMany())
  const data = found.slice(0, filter.limit)
  return { data, nextCursor: found.length > filter.limit ? (data.at(-1)?.id ?? null) : null }
}

function query(database: Database, { kind, userId, from, to, limit, cursor }: Filter) {
  const select = database.orm.getRepository(AuditEvent).createQueryBuilder('event')
  if (kind) select.andWhere('event.kind = :kind', { kind })
  if (userId) select.andWhere('event.userId = :userId', { userId })
  if (from) select.andWhere('event.id >= :from', { from: leastIdAt(from) })
  if (to) select.andWhere('event.id < :to', { to: leastIdAt(to) })
  if (cursor) select.andWhere('event.id < :cursor', { cursor })
  // One more than asked for tells whether there is a next page.
  return select.orderBy('event.id', 'DESC').limit(limit + 1)
}

/** The least UUIDv7 that is made at a time: RFC 9562, section 5.7. */
export function leastIdAt(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0').slice(-12)
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}
