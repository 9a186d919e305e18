import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Creates the tables of payments, their events and totals, providers' messages, and idempotency keys. */
export class Initial1795910400000 implements MigrationInterface {
  name = 'Initial1795910400000'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [PAYMENTS, EVENTS, TOTALS, MESSAGES, IDEMPOTENCY_KEYS, TRIGGERS]) {
      await runner.query(statement)
    }
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

/**
 * White space, control characters and format characters (category Cf) of Unicode 17, in a bracket expression. It is
 * quoted with `$re$`, because `standard_conforming_strings` decides what a backslash between apostrophes means.
 */
const INVISIBLE = [
  String.raw`\u0001-\u0020\u007F-\u00A0\u00AD\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u1680\u180E`,
  String.raw`\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF\uFFF9-\uFFFB`,
  String.raw`\U000110BD\U000110CD\U00013430-\U0001343F\U0001BCA0-\U0001BCA3`,
  String.raw`\U0001D173-\U0001D17A\U000E0000-\U000E007F`,
].join('')

const PAYMENTS = `
CREATE TABLE payments (
  id                      uuid           CONSTRAINT payments_pkey PRIMARY KEY,
  reference               text           GENERATED ALWAYS AS ('PAY-' || id::text) VIRTUAL,
  owner_id                uuid           NOT NULL,
  amount_minor            bigint         NOT NULL
    CONSTRAINT payments_amount_minor_check CHECK (amount_minor > 0),
  currency                text           NOT NULL
    CONSTRAINT payments_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
  payment_method          text           NOT NULL
    CONSTRAINT payments_payment_method_check
    CHECK (payment_method IN ('MOBILE_MONEY', 'CARD', 'BANK_TRANSFER')),
  customer_phone          text           NOT NULL
    CONSTRAINT payments_customer_phone_check CHECK (customer_phone ~ '^[+][1-9][0-9]{5,14}$'),
  customer_email          text           NOT NULL
    CONSTRAINT payments_customer_email_check CHECK (
      char_length(customer_email) <= 254
      AND customer_email LIKE '_%@_%'
      AND customer_email IS NFC NORMALIZED
      AND customer_email !~ $re$[A-Z${INVISIBLE}]$re$
    ),
  description             text,
  metadata                jsonb          NOT NULL,
  status                  text           NOT NULL
    CONSTRAINT payments_status_check
    CHECK (status IN ('INITIATED', 'PENDING', 'SUCCESS', 'FAILED')),
  provider_name           text,
  provider_transaction_id text,
  last_webhook_id         text,
  last_webhook_at         timestamptz(3),
  created_at              timestamptz(3) NOT NULL,
  updated_at              timestamptz(3) NOT NULL,
  version                 integer        NOT NULL
);
CREATE INDEX payments_owner_id_id_idx ON payments (owner_id, id DESC);
CREATE INDEX payments_customer_phone_id_idx ON payments (customer_phone, id DESC);
CREATE INDEX payments_open_idx ON payments (status, updated_at)
  WHERE status IN ('INITIATED', 'PENDING');
`

const EVENTS = `
-- One row per version of a payment.
CREATE TABLE payment_events (
  payment_id              uuid           NOT NULL
    CONSTRAINT payment_events_payment_id_fkey REFERENCES payments,
  version                 integer        NOT NULL,
  operation_id            uuid           NOT NULL
    CONSTRAINT payment_events_operation_id_key UNIQUE,
  from_status             text,
  to_status               text           NOT NULL,
  at                      timestamptz(3) NOT NULL,
  actor                   text           NOT NULL,
  cause                   text           NOT NULL
    CONSTRAINT payment_events_cause_check CHECK (cause IN ('create', 'status', 'webhook')),
  reason                  text,
  -- The payment's other mutable columns as of this change.
  provider_name           text,
  provider_transaction_id text,
  last_webhook_id         text,
  last_webhook_at         timestamptz(3),
  -- The transaction that inserted the row. Events are added to the totals in this order.
  xid                     xid8           NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT payment_events_pkey PRIMARY KEY (payment_id, version)
);
CREATE INDEX payment_events_xid_idx ON payment_events (xid);
`

const TOTALS = `
-- The number of payments that have entered each status, and the sum of their amounts.
CREATE TABLE payment_totals (
  status                  text           NOT NULL,
  payment_method          text           NOT NULL,
  currency                text           NOT NULL,
  entered                 bigint         NOT NULL,
  amount_minor            numeric        NOT NULL,
  CONSTRAINT payment_totals_pkey PRIMARY KEY (status, payment_method, currency)
) WITH (fillfactor = 50);

-- A single row: payment_totals includes the events up to this transaction.
CREATE TABLE payment_totals_position (
  singleton               boolean        DEFAULT true
    CONSTRAINT payment_totals_position_pkey PRIMARY KEY
    CONSTRAINT payment_totals_position_singleton_check CHECK (singleton),
  folded_through          xid8           NOT NULL
) WITH (fillfactor = 50);
INSERT INTO payment_totals_position (folded_through) VALUES ('0');
`

const MESSAGES = `
-- The inbox, and the evidence of what was sent: every webhook that was applied or superseded, or that reused an id
-- with other content (conflict).
CREATE TABLE provider_messages (
  id                      uuid           CONSTRAINT provider_messages_pkey PRIMARY KEY,
  source                  text           NOT NULL
    CONSTRAINT provider_messages_source_check CHECK (source ~ '^(provider|user):.'),
  kind                    text           NOT NULL
    CONSTRAINT provider_messages_kind_check CHECK (kind IN ('webhook')),
  webhook_id              text           NOT NULL,
  payment_id              uuid
    CONSTRAINT provider_messages_payment_id_fkey REFERENCES payments,
  -- How the sender was authenticated: by a provider's signature, or by a user's token.
  verdict                 text           NOT NULL
    CONSTRAINT provider_messages_verdict_check CHECK (verdict IN ('signed', 'token')),
  -- The key that verified the signature.
  key_id                  text,
  -- The three headers of the signature; empty without one.
  headers                 jsonb          NOT NULL,
  -- The bytes as received.
  body                    bytea          NOT NULL
    CONSTRAINT provider_messages_body_check CHECK (octet_length(body) <= 100000),
  body_hash               bytea          NOT NULL,
  -- The fields that the service acted on.
  reading                 jsonb          NOT NULL,
  outcome                 text           NOT NULL
    CONSTRAINT provider_messages_outcome_check
    CHECK (outcome IN ('applied', 'superseded', 'conflict')),
  -- Repetitions of a conflict are counted, not stored.
  times                   integer        NOT NULL DEFAULT 1,
  -- The time that the sender states.
  occurred_at             timestamptz(3),
  received_at             timestamptz(3) NOT NULL,
  last_at                 timestamptz(3) NOT NULL,
  last_operation_id       uuid           NOT NULL,
  CONSTRAINT provider_messages_key_id_check CHECK ((key_id IS NOT NULL) = (verdict = 'signed')),
  CONSTRAINT provider_messages_payment_check CHECK ((payment_id IS NULL) = (outcome = 'conflict'))
);
-- Deduplicates webhooks permanently.
CREATE UNIQUE INDEX provider_messages_webhook_key ON provider_messages (source, webhook_id)
  WHERE outcome <> 'conflict';
CREATE UNIQUE INDEX provider_messages_conflict_key
  ON provider_messages (source, webhook_id, body_hash) WHERE outcome = 'conflict';
CREATE INDEX provider_messages_payment_id_idx ON provider_messages (payment_id)
  WHERE payment_id IS NOT NULL;
`

const IDEMPOTENCY_KEYS = `
-- The response to the first request with a key: its status, and the version of the resource that it shows.
CREATE TABLE idempotency_keys (
  caller                  uuid           NOT NULL,
  route                   text           NOT NULL,
  key                     text           NOT NULL,
  fingerprint             bytea          NOT NULL,
  operation_id            uuid           NOT NULL,
  response_status         smallint       NOT NULL
    CONSTRAINT idempotency_keys_response_status_check CHECK (response_status BETWEEN 200 AND 499),
  resource_type           text           NOT NULL,
  resource_id             uuid           NOT NULL,
  resource_version        integer        NOT NULL,
  created_at              timestamptz(3) NOT NULL,
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
`

const TRIGGERS = `
CREATE FUNCTION reject_change_of_terminal_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'payment % is % and can''t be changed', OLD.id, OLD.status
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER payments_terminal BEFORE UPDATE OR DELETE ON payments
  FOR EACH ROW WHEN (OLD.status IN ('SUCCESS', 'FAILED'))
  EXECUTE FUNCTION reject_change_of_terminal_payment();

CREATE FUNCTION reject_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % is not allowed', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER payments_no_truncate BEFORE TRUNCATE ON payments
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
CREATE TRIGGER payment_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();

-- Only the count of a message's repetitions may change. The comparison includes columns that are added later.
CREATE FUNCTION reject_change_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  uncounted provider_messages := NEW;
BEGIN
  uncounted.times := OLD.times;
  uncounted.last_at := OLD.last_at;
  uncounted.last_operation_id := OLD.last_operation_id;
  IF uncounted IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of the content of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER provider_messages_immutable BEFORE UPDATE ON provider_messages
  FOR EACH ROW EXECUTE FUNCTION reject_change_of_message();
CREATE TRIGGER provider_messages_append_only BEFORE DELETE OR TRUNCATE ON provider_messages
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
`
