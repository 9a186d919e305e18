import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Indexes for totals and for what is stuck, built while others write. That can't be done in a transaction, so
 * one that was interrupted is left invalid and is taken away first.
 */
export class TotalsIndexes1795500000001 implements MigrationInterface {
  name = 'TotalsIndexes1795500000001'
  transaction = false

  async up(runner: QueryRunner): Promise<void> {
    // It waits for whoever looks at an older state: better another try than a wait without an end.
    await runner.query(`SET lock_timeout = '60s'`)
    for (const [name, on] of Object.entries(INDEXES)) {
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`)
      await runner.query(`CREATE INDEX CONCURRENTLY ${name} ON ${on}`)
    }
    await runner.query('RESET lock_timeout')
  }

  async down(): Promise<void> {
    throw new Error('Migrations go forward only: write another one.')
  }
}

const INDEXES = {
  payment_events_xid_idx: 'payment_events (xid) WHERE xid IS NOT NULL',
  payments_open_idx: `payments (status, updated_at) WHERE status IN ('INITIATED', 'PENDING')`,
}
