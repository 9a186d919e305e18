import type { MigrationInterface, QueryRunner } from 'typeorm'

/** A separate transaction, so that requests do not wait for a scan of the audit trail. */
export class ErasureKind1796083200003 implements MigrationInterface {
  readonly name = 'ErasureKind1796083200003'

  async up(runner: QueryRunner) {
    await runner.query('ALTER TABLE audit_events VALIDATE CONSTRAINT audit_events_kind_is_known')
  }

  async down() {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}
