import { decodeCursor, encodeCursor } from '@malipo/kit/http/page'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'

/**
 * Where a reader of the feed continues: after an event, by its operation id, or at a time if it has read none.
 *
 * A cursor has no transaction id. A database that was restored, or that lost commits in a failover, assigns the same
 * transaction ids again, so a position in them could be past events that the reader has not seen. An event that the
 * database lost is not found, and the reader gets an error instead of a gap.
 */
export type Position = { readonly after: string } | { readonly from: Date }

/** A time as a cursor is the smallest UUIDv7 of that time, which no event has as its id. */
const TIME = /^([\da-f]{8})-([\da-f]{4})-7000-8000-000000000000$/

export function cursorOf(position: Position): string {
  return encodeCursor('after' in position ? position.after : minUuidAt(position.from))
}

/** @param cursor validated by `PageCursor` */
export function positionOf(cursor: string): Position {
  const id = decodeCursor(cursor) as string
  const [, high, low] = TIME.exec(id) ?? []
  return high && low ? { from: new Date(Number.parseInt(high + low, 16)) } : { after: id }
}

/** A merchant can read the events of this time without a cursor. */
export const FEED_DAYS = 30

/** Where a reader starts without a cursor: at `createdFrom`, but not more than 30 days ago. */
export function startOf(createdFrom: Date | undefined, nowMs: number): Position {
  const earliest = nowMs - FEED_DAYS * 86_400_000
  return { from: new Date(Math.max(earliest, createdFrom?.getTime() ?? 0)) }
}
