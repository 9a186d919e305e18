import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Fills in the owners of earlier events, and indexes events by owner without blocking writes. */
export class EventOwners1796083200001 implements MigrationInterface {
  name = 'EventOwners1796083200001'
  transaction = false

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(FILL)
    // An index that an interrupted run left behind is invalid.
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS payment_events_owner_idx')
    await runner.query(INDEX)
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

const FILL = `
UPDATE payment_events AS event
SET owner_id = payments.owner_id
FROM payments
WHERE payments.id = event.payment_id AND event.owner_id IS NULL`

/** The order of the event feed. */
const INDEX = `
CREATE INDEX CONCURRENTLY payment_events_owner_idx
  ON payment_events (owner_id, xid, payment_id, version)`
