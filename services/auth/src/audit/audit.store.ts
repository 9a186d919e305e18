import type { Run, Statement } from '@malipo/kit/postgres/database'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import type { DataSource } from 'typeorm'
import type { Origin } from '../client-context/client-context.js'

/* Executed late, it records the failure late; its id contains the time of the request. */
const LOGIN_FAILURE: Statement = {
  name: 'login_failure_insert',
  text: `
    INSERT INTO audit_events (id, kind, user_id, address, user_agent)
    VALUES ($1, 'login_failure', $2, $3, $4)
    ON CONFLICT ON CONSTRAINT audit_events_pkey DO NOTHING`,
}

/** Other events are inserted by the statements that cause them. A retry passes the same `id`. */
export async function recordLoginFailure(
  run: Run,
  { id, userId, origin }: { id: string; userId: string | null; origin: Origin },
): Promise<void> {
  await run(LOGIN_FAILURE, [id, userId, origin.address, origin.userAgent])
}

const FIND_EVENT: Statement = {
  name: 'audit_event_by_id',
  text: `SELECT 1 FROM audit_events WHERE id = $1`,
}

/**
 * Returns the number of sessions that a change revoked; undefined if it did not apply. If an earlier
 * attempt committed, its audit event has the operation id; the number is then unknown, and the result is 0.
 */
export async function countOrRecover(
  run: Run,
  operation: { id: string; retried: boolean },
  changed: { revoked: number } | undefined,
): Promise<number | undefined> {
  if (changed) return changed.revoked
  if (!operation.retried) return undefined
  return (await run(FIND_EVENT, [operation.id])).length > 0 ? 0 : undefined
}

const DELETE_BATCH_SIZE = 1_000

/** Ids are UUIDv7, so the events before a given time are a range of the primary key. */
const DELETE = `
  DELETE FROM audit_events
  WHERE id IN (SELECT id FROM audit_events WHERE id < $1 AND at < $2::timestamptz ORDER BY id LIMIT $3)`

/** Deletes old events. A trigger allows this only to the table's owner, with `malipo.retention` set. */
export async function deleteEventsBefore(source: DataSource, cutoff: Date): Promise<number> {
  let total = 0
  let deleted: number
  do {
    deleted = await source.transaction(async (transaction) => {
      await transaction.query("SET LOCAL malipo.retention = 'on'")
      const values = [minUuidAt(cutoff), cutoff.toISOString(), DELETE_BATCH_SIZE]
      const [, count] = await transaction.query<[unknown, number]>(DELETE, values)
      return count
    })
    total += deleted
  } while (deleted === DELETE_BATCH_SIZE)
  return total
}
