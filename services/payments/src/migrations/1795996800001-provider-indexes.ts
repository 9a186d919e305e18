import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Builds indexes and validates constraints without blocking writes. Each step can be repeated. */
export class ProviderIndexes1795996800001 implements MigrationInterface {
  name = 'ProviderIndexes1795996800001'
  transaction = false

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, definition] of INDEXES) {
      // An index that an interrupted run left behind is invalid.
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`)
      await runner.query(definition.replace('INDEX', `INDEX CONCURRENTLY ${name}`))
    }
    for (const [table, constraint] of CONSTRAINTS) {
      await runner.query(`ALTER TABLE ${table} VALIDATE CONSTRAINT ${constraint}`)
    }
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

const INDEXES = [
  [
    'payments_transaction_key',
    'CREATE UNIQUE INDEX ON payments (transaction_key) WHERE transaction_key IS NOT NULL',
  ],
  [
    'payments_open_charges_idx',
    `CREATE INDEX ON payments (customer_phone)
       WHERE account IS NOT NULL AND status IN ('INITIATED', 'PENDING')`,
  ],
  [
    // The bytes of a callback are stored once for each attempt, or attempt that its URL names, or once without one.
    'provider_messages_callback_key',
    `CREATE UNIQUE INDEX ON provider_messages (source, body_hash, attempt_id, (reading->>'attemptId'))
       NULLS NOT DISTINCT WHERE kind = 'callback'`,
  ],
  [
    'provider_messages_attempt_id_idx',
    'CREATE INDEX ON provider_messages (attempt_id, id) WHERE attempt_id IS NOT NULL',
  ],
  [
    'provider_messages_parked_idx',
    `CREATE INDEX ON provider_messages (source, id) WHERE outcome = 'parked'`,
  ],
  // Lists of operators.
  ['provider_messages_source_idx', 'CREATE INDEX ON provider_messages (source, id)'],
  [
    'provider_messages_kind_idx',
    `CREATE INDEX ON provider_messages (kind, id) WHERE kind IN ('webhook', 'callback')`,
  ],
  [
    'provider_messages_outcome_idx',
    `CREATE INDEX ON provider_messages (outcome, id)
       WHERE outcome NOT IN ('applied', 'stored', 'unchanged')`,
  ],
] as const

const CONSTRAINTS = [
  ['payment_events', 'payment_events_cause_check'],
  ['provider_messages', 'provider_messages_kind_check'],
  ['provider_messages', 'provider_messages_verdict_check'],
  ['provider_messages', 'provider_messages_outcome_check'],
  ['provider_messages', 'provider_messages_key_id_check'],
  ['provider_messages', 'provider_messages_payment_check'],
  ['provider_messages', 'provider_messages_webhook_check'],
] as const
