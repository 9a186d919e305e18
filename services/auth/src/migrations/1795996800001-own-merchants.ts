import type { MigrationInterface, QueryRunner } from 'typeorm'

/** A separate transaction, so that requests wait for neither a scan of the audit trail nor one of all users. */
export class OwnMerchants1795996800001 implements MigrationInterface {
  readonly name = 'OwnMerchants1795996800001'

  async up(runner: QueryRunner) {
    for (const statement of STATEMENTS) {
      await runner.query(statement)
    }
  }

  async down() {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

/** The merchants of users who registered before the trigger existed. */
const MERCHANTS = `
INSERT INTO merchants (id, created_at) SELECT id, created_at FROM users ON CONFLICT DO NOTHING;
`

const AUDIT = `
ALTER TABLE audit_events VALIDATE CONSTRAINT audit_events_kind_is_known;
`

const STATEMENTS = [MERCHANTS, AUDIT]
