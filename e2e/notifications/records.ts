import type { Sql } from '../charges/records.ts'
import type { StoredDelivery, StoredEvent } from './verdict.ts'

/** The events and deliveries in the database, read directly. */

const eventId = (column: string) => `'evt_' || replace(${column}::text, '-', '')`

const EVENTS = `
  SELECT json_build_object(
    'eventId', ${eventId('operation_id')},
    'ownerId', owner_id,
    'type', payment_event_type(from_status, to_status, late_success, at),
    'reference', 'PAY-' || payment_id,
    'version', version,
    'status', to_status
  )::text
  FROM payment_events
  WHERE from_status IS NOT NULL`

const DELIVERIES = `
  SELECT json_build_object(
    'eventId', ${eventId('notification.id')},
    'endpointId', endpoint_id,
    'state', state,
    'bodyHash', encode(sha256(convert_to(body, 'UTF8')), 'hex')
  )::text
  FROM deliveries
  JOIN notifications AS notification ON notification.id = notification_id`

export async function readEvents(sql: Sql): Promise<StoredEvent[]> {
  return (await sql(EVENTS)).map((line) => JSON.parse(line) as StoredEvent)
}

export async function readDeliveries(sql: Sql): Promise<StoredDelivery[]> {
  return (await sql(DELIVERIES)).map((line) => JSON.parse(line) as StoredDelivery)
}

interface StoredEndpoint {
  readonly id: string
  readonly ownerId: string
  readonly state: string
  readonly disabledReason: string | null
  /** ms since the epoch. */
  readonly updatedAt: number
}

export async function readEndpoints(sql: Sql): Promise<StoredEndpoint[]> {
  const lines = await sql(`
    SELECT json_build_object(
      'id', id, 'ownerId', owner_id, 'state', state, 'disabledReason', disabled_reason,
      'updatedAt', round(extract(epoch FROM updated_at) * 1000)
    )::text
    FROM webhook_endpoints`)
  return lines.map((line) => JSON.parse(line) as StoredEndpoint)
}

/** How many deliveries wait, of enabled and deleted endpoints but these. */
export async function countWaiting(sql: Sql, excluded: readonly string[]): Promise<number> {
  const ids = excluded.map((id) => `'${id}'`).join(', ')
  const [count] = await sql(`
    SELECT count(*) FROM delivery_work
    JOIN webhook_endpoints AS endpoint ON endpoint.id = endpoint_id
    WHERE state <> 'disabled' AND endpoint.id::text NOT IN (${ids || `''`})`)
  return Number(count)
}
