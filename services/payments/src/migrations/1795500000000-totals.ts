import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Totals of money, kept as payments move (`totals/`). An event gets the number of its transaction, by which a
 * fold knows which events are new; those from before have none and are counted once by their key.
 *
 * Nothing here takes long under a lock: the column is added without a value for the rows that are there, then
 * gets its default, which release 0.1.0 fills in without knowing of it. Who holds the table for long, such as
 * a dump, is not queued behind, for everybody else would queue behind us: it fails and is tried again.
 */
export class Totals1795500000000 implements MigrationInterface {
  name = 'Totals1795500000000'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [PATIENCE, COLUMN, DEFAULT, TOTALS, BOOKMARK, BEGINNING, MONITOR]) {
      await runner.query(statement)
    }
  }

  async down(): Promise<void> {
    throw new Error('Migrations go forward only: write another one.')
  }
}

const PATIENCE = `SET LOCAL lock_timeout = '3s'`

// A default that is there when the column is added would be written into every row, under the lock.
const COLUMN = 'ALTER TABLE payment_events ADD COLUMN xid xid8'
const DEFAULT = 'ALTER TABLE payment_events ALTER COLUMN xid SET DEFAULT pg_current_xact_id()'

const TOTALS = `
-- How many payments ever came into a status, and their amounts: exact, however large.
CREATE TABLE payment_totals (
  status                  text           NOT NULL,
  payment_method          text           NOT NULL,
  currency                text           NOT NULL,
  entered                 bigint         NOT NULL,
  amount_minor            numeric        NOT NULL,
  CONSTRAINT payment_totals_pkey PRIMARY KEY (status, payment_method, currency)
) WITH (fillfactor = 50);
`

const BOOKMARK = `
-- How far the fold has come, and which replica leads: one row.
CREATE TABLE payment_totals_bookmark (
  is_the_only             boolean        CONSTRAINT payment_totals_bookmark_pkey PRIMARY KEY DEFAULT true
                                         CONSTRAINT payment_totals_bookmark_only_check CHECK (is_the_only),
  folded_through          xid8           NOT NULL,
  -- The last event without a number that was counted; none when all are.
  old_payment_id          uuid,
  old_version             integer,
  leader                  uuid,
  leads_until             timestamptz    NOT NULL
) WITH (fillfactor = 50);
`

const BEGINNING = `
INSERT INTO payment_totals_bookmark
  (folded_through, old_payment_id, old_version, leads_until)
SELECT '0',
       CASE WHEN EXISTS (SELECT FROM payment_events) THEN '00000000-0000-0000-0000-000000000000'::uuid END,
       CASE WHEN EXISTS (SELECT FROM payment_events) THEN 0 END,
       '-infinity'
`

// What an exporter of metrics reads, and nothing of a customer.
const MONITOR = `
GRANT SELECT ON payment_totals, payment_totals_bookmark TO pg_monitor;
GRANT SELECT (status, updated_at) ON payments TO pg_monitor;
GRANT SELECT (xid, at) ON payment_events TO pg_monitor;
`
