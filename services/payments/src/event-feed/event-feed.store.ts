import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { NIL_UUID } from '@malipo/kit/postgres/uuid-v7'
import type { PaymentEventType } from '../notifications/events.js'
import { paymentColumns } from '../payments/payment-columns.js'
import type { Payment } from '../payments/payment.entity.js'
import type { Position } from './position.js'

/**
 * The feed is in the order of `(xid, payment_id, version)`, where `xid` is the transaction that inserted the event. It
 * ends below `pg_snapshot_xmin`, the oldest transaction that is still running: every transaction below has ended, so no
 * event can appear later in a part that was read. An order by time or id, which are chosen before the commit, lacks
 * this property.
 *
 * Conditions compare `(owner_id, xid)` instead of each column: they fit `payment_events_owner_idx` only. The planner
 * would take the index of `xid` alone and pass the events of all other merchants.
 */

/** Rows after this one follow. */
interface Place {
  readonly xid: string
  readonly paymentId: string
  readonly version: number
}

const FIND_EVENT: Statement = {
  name: 'event_feed_find_event',
  text: `
SELECT xid, payment_id AS "paymentId", version
FROM payment_events
WHERE operation_id = $1 AND owner_id = $2`,
}

/**
 * Finds by bisection the transaction whose events are the first at or after a time: at most 64 look-ups in the index,
 * however many events precede it. All events before `low` are earlier; all from `high` on are not.
 */
const FIND_TIME: Statement = {
  name: 'event_feed_find_time',
  text: `
WITH RECURSIVE search AS (
  SELECT
    coalesce(
      (
        SELECT xid::text::bigint
        FROM payment_events
        WHERE (owner_id, xid) >= ($1::uuid, '0'::xid8)
          AND (owner_id, xid) < ($1::uuid, pg_snapshot_xmin(pg_current_snapshot()))
        ORDER BY owner_id, payment_events.xid
        LIMIT 1
      ),
      0
    ) AS low,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS high
  UNION ALL
  SELECT
    CASE WHEN probe.at < $2::timestamptz THEN probe.xid + 1 ELSE low END,
    CASE WHEN probe.at < $2::timestamptz THEN high ELSE middle END
  FROM search
  CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle) AS half
  LEFT JOIN LATERAL (
    SELECT xid::text::bigint AS xid, at
    FROM payment_events
    WHERE (owner_id, xid) >= ($1::uuid, middle::text::xid8)
      AND (owner_id, xid) < ($1::uuid, high::text::xid8)
    ORDER BY owner_id, payment_events.xid, payment_id, version
    LIMIT 1
  ) AS probe ON true
  WHERE low < high
)
SELECT max(low)::text AS xid FROM search`,
}

/**
 * An event has the time of its request, which may wait for a lock or for the database before it gets a transaction id.
 * So the order of times differs from that of transactions by seconds, and by more if the database's clock was set.
 */
const MAX_DISORDER_MS = 120_000

/** Finds the place of a position; undefined if the owner has no such event. */
export async function findPlace(
  run: Run,
  owner: string,
  position: Position,
): Promise<Place | undefined> {
  if ('after' in position) {
    const [place] = await run<Place>(FIND_EVENT, [position.after, owner])
    return place
  }
  const from = new Date(Math.max(0, position.from.getTime() - MAX_DISORDER_MS))
  const [found] = await run<Pick<Place, 'xid'>>(FIND_TIME, [owner, from.toISOString()])
  return found && { xid: found.xid, paymentId: NIL_UUID, version: 0 }
}

/** Filtered events are read in steps of this many, so that a rare type costs no more than a page of all types. */
export const MAX_SCAN = 1_000

/**
 * Reads at most `scan` events after a place, and of them the first `limit` that match. The constant limit shows the
 * planner that the index is cheaper than sorting all events of the owner.
 */
const READ: Statement = {
  name: 'event_feed_read',
  text: `
WITH scanned AS MATERIALIZED (
  SELECT *, row_number() OVER (ORDER BY owner_id, xid, payment_id, version)::integer AS nth
  FROM (
    SELECT owner_id, xid, payment_id, version, operation_id, at,
      payment_event_type(from_status, to_status, late_success, at) AS type
    FROM payment_events
    WHERE (owner_id, xid, payment_id, version) > ($1::uuid, $2::xid8, $3::uuid, $4::integer)
      AND (owner_id, xid) < ($1::uuid, pg_snapshot_xmin(pg_current_snapshot()))
    ORDER BY owner_id, xid, payment_id, version
    LIMIT ${MAX_SCAN + 1}
  ) AS head
  LIMIT $5::integer
), page AS (
  SELECT *
  FROM scanned
  WHERE ($6::text IS NULL OR type = $6) AND ($7::timestamptz IS NULL OR at >= $7)
  ORDER BY nth
  LIMIT $8::integer
), scan AS (
  SELECT count(*)::integer AS scanned, (array_agg(operation_id ORDER BY nth DESC))[1] AS "scannedTo"
  FROM scanned
)
SELECT scanned, "scannedTo", page.nth, page.operation_id AS "eventId", page.type,
  ${isoTime('event.at')} AS timestamp,
  ${paymentColumns('payments', 'event')}
FROM scan
LEFT JOIN page ON true
LEFT JOIN payment_events AS event
  ON event.payment_id = page.payment_id AND event.version = page.version
LEFT JOIN payments ON payments.id = page.payment_id
ORDER BY page.nth`,
}

/** An event, with the payment as of its version. */
export interface StoredEvent extends Payment {
  /** The operation id. */
  readonly eventId: string
  readonly type: PaymentEventType
  readonly timestamp: string
  /** Its number among the events that were scanned, from 1. */
  readonly nth: number
}

interface Scan {
  /** How many events were scanned. */
  readonly scanned: number
  /** The last of them; null without any. */
  readonly scannedTo: string | null
}

export interface EventFilter {
  readonly type: PaymentEventType | undefined
  readonly from: Date | undefined
  readonly limit: number
}

/** @returns also how many events were scanned to find them, at most `scan` */
export async function readEvents(
  run: Run,
  owner: string,
  { xid, paymentId, version }: Place,
  { type, from, limit }: EventFilter,
  scan: number,
): Promise<Scan & { readonly events: readonly StoredEvent[] }> {
  const values = [owner, xid, paymentId, version, scan, type, from?.toISOString(), limit]
  const rows = await run<Scan & StoredEvent>(READ, values)
  const { scanned = 0, scannedTo = null } = rows[0] ?? {}
  // Without a match, the only row has no event.
  return { scanned, scannedTo, events: rows.filter(({ eventId }) => eventId !== null) }
}
