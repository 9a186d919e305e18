import type { MigrationInterface, QueryRunner } from 'typeorm'

/** What resending deliveries and listing them needs. It only expands. */
export class DeliveryResends1796083200004 implements MigrationInterface {
  name = 'DeliveryResends1796083200004'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [RESENDS, FAILED, RARE]) await runner.query(statement)
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

const RESENDS = `
-- The operation that last resent the delivery, or made it by a replay. The result of a try of an earlier one does not
-- end the delivery.
ALTER TABLE deliveries ADD COLUMN resend_id uuid;
ALTER TABLE delivery_work ADD COLUMN resend_id uuid;
`

/*
 * The state itself has no index: PostgreSQL would write every index of a delivery when it is delivered, instead of none
 * (heap-only tuples).
 */
const FAILED = `
-- When the delivery failed or was cancelled.
ALTER TABLE deliveries ADD COLUMN failed_at timestamptz(3);
UPDATE deliveries SET failed_at = created_at WHERE state IN ('failed', 'cancelled');
CREATE INDEX deliveries_failed_idx ON deliveries (endpoint_id, id) WHERE failed_at IS NOT NULL;
`

const RARE = `
CREATE INDEX notifications_rare_idx ON notifications (owner_id, type, created_at, id)
  WHERE type NOT IN ('payment.pending', 'payment.succeeded', 'payment.failed');
`
