import { validationProblem } from '@malipo/kit/http/validation'
import type { Database } from '@malipo/kit/postgres/database'
import type { PaymentEventType } from '../notifications/events.js'
import { findPlace, MAX_SCAN, readEvents, type StoredEvent } from './event-feed.store.js'
import { cursorOf, type Position } from './position.js'

export interface FeedQuery {
  /** The merchant. */
  readonly owner: string
  readonly position: Position
  readonly type?: PaymentEventType
  readonly createdFrom?: Date
  readonly limit: number
}

export interface FeedPage {
  readonly events: readonly StoredEvent[]
  readonly nextCursor: string
  /** Whether the next page can have events already now. */
  readonly hasMore: boolean
}

/**
 * Reads a page of the feed.
 * @throws Problem 400 if the owner has no event with the id of the cursor
 */
export async function readFeed(database: Database, query: FeedQuery): Promise<FeedPage> {
  const { owner, position, type, limit } = query
  const from = latest(query.createdFrom, 'from' in position ? position.from : undefined)
  const isFiltered = type !== undefined || from !== undefined
  // One event beyond the page shows that there is another.
  const scan = (isFiltered ? MAX_SCAN : limit) + 1
  const found = await database.read(async (run) => {
    const place = await findPlace(run, owner, position)
    return place && readEvents(run, owner, place, { type, from, limit }, scan)
  })
  if (!found) throw unknownCursor()
  // A failover must not lose an event that a reader has passed: the next one could get a lower place.
  if (found.events.length > 0) await database.awaitDurable()
  const { events, scanned, scannedTo } = found
  const last = events.length === limit ? events.at(-1) : undefined
  const readTo = last?.eventId ?? scannedTo
  return {
    events,
    nextCursor: cursorOf(readTo === null ? position : { after: readTo }),
    hasMore: last ? last.nth < scanned : scanned === scan,
  }
}

function latest(...times: readonly (Date | undefined)[]): Date | undefined {
  const known = times.filter((time) => time !== undefined)
  return known.length > 0 ? new Date(Math.max(...known.map(Number))) : undefined
}

function unknownCursor() {
  const message =
    'must be the nextCursor of one of your pages; if it was, the database was restored: start again with createdFrom'
  return validationProblem([{ field: 'cursor', message }])
}
