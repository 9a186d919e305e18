import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import type { DataSource } from 'typeorm'

const BATCH_SIZE = 1_000

/** Ids are UUIDv7, so the events before a time are a range of the primary key. */
const DELETE = `
  DELETE FROM audit_events
  WHERE id IN (SELECT id FROM audit_events WHERE id < $1 AND at < $2 ORDER BY id LIMIT $3)`

/**
 * Deletes the audit events older than `cutoff`, one transaction per batch. A trigger allows deletion only to
 * the table's owner, and only with the setting `malipo.retention`.
 *
 * @returns the number of deleted events
 */
export async function deleteEventsBefore(source: DataSource, cutoff: Date): Promise<number> {
  let total = 0
  let deleted: number
  do {
    deleted = await source.transaction(async (transaction) => {
      await transaction.query("SET LOCAL malipo.retention = 'on'")
      const values = [minUuidAt(cutoff), cutoff, BATCH_SIZE]
      const [, count] = await transaction.query<[unknown, number]>(DELETE, values)
      return count
    })
    total += deleted
  } while (deleted === BATCH_SIZE)
  return total
}
