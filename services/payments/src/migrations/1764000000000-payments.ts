import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Payments, their events, the inbox of webhooks and the idempotency keys. */
export class Payments1764000000000 implements MigrationInterface {
  name = 'Payments1764000000000'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [PAYMENTS, EVENTS, WEBHOOKS, KEYS, TERMINAL, APPEND_ONLY]) {
      await runner.query(statement)
    }
  }

  async down(): Promise<void> {
    throw new Error('Migrations go forward only: write another one.')
  }
}

const PAYMENTS = `
CREATE TABLE payments (
  id                      uuid           CONSTRAINT payments_pkey PRIMARY KEY,
  reference               text           GENERATED ALWAYS AS ('PAY-' || id::text) VIRTUAL,
  owner_id                uuid           NOT NULL,
  amount_minor            bigint         NOT NULL CONSTRAINT payments_amount_check CHECK (amount_minor > 0),
  currency                text           NOT NULL CONSTRAINT payments_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
  payment_method          text           NOT NULL CONSTRAINT payments_method_check
                                         CHECK (payment_method IN ('MOBILE_MONEY', 'CARD', 'BANK_TRANSFER')),
  customer_phone          text           NOT NULL CONSTRAINT payments_phone_check CHECK (customer_phone ~ '^\\+[1-9][0-9]{5,14}$'),
  customer_email          text           NOT NULL,
  description             text,
  metadata                jsonb          NOT NULL,
  status                  text           NOT NULL CONSTRAINT payments_status_check
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
`

const EVENTS = `
CREATE TABLE payment_events (
  payment_id              uuid           NOT NULL CONSTRAINT payment_events_payment_id_fkey REFERENCES payments,
  version                 integer        NOT NULL,
  operation_id            uuid           NOT NULL CONSTRAINT payment_events_operation_id_key UNIQUE,
  from_status             text,
  to_status               text           NOT NULL,
  at                      timestamptz(3) NOT NULL,
  actor                   text           NOT NULL,
  cause                   text           NOT NULL CONSTRAINT payment_events_cause_check
                                         CHECK (cause IN ('create', 'status', 'webhook')),
  reason                  text,
  -- What else changes in a payment's life, as it stands after this change.
  provider_name           text,
  provider_transaction_id text,
  last_webhook_id         text,
  last_webhook_at         timestamptz(3),
  CONSTRAINT payment_events_pkey PRIMARY KEY (payment_id, version)
);
`

const WEBHOOKS = `
-- Every webhook that was applied, or came when its status was past: an id counts once, for ever.
CREATE TABLE webhooks (
  source                  text           NOT NULL,
  webhook_id              text           NOT NULL,
  payment_id              uuid           NOT NULL CONSTRAINT webhooks_payment_id_fkey REFERENCES payments,
  status                  text           NOT NULL,
  outcome                 text           NOT NULL CONSTRAINT webhooks_outcome_check CHECK (outcome IN ('applied', 'past')),
  operation_id            uuid           NOT NULL,
  payload                 jsonb          NOT NULL,
  received_at             timestamptz(3) NOT NULL,
  CONSTRAINT webhooks_pkey PRIMARY KEY (source, webhook_id)
);
CREATE INDEX webhooks_payment_id_idx ON webhooks (payment_id);

-- The same id with another content: evidence of a confused or hostile sender.
CREATE TABLE webhook_conflicts (
  source                  text           NOT NULL,
  webhook_id              text           NOT NULL,
  reference               text           NOT NULL,
  status                  text           NOT NULL,
  payload                 jsonb          NOT NULL,
  times                   integer        NOT NULL DEFAULT 1,
  first_at                timestamptz(3) NOT NULL,
  last_at                 timestamptz(3) NOT NULL,
  last_operation_id       uuid           NOT NULL,
  CONSTRAINT webhook_conflicts_pkey PRIMARY KEY (source, webhook_id, reference, status)
);
`

const KEYS = `
-- What was answered under an Idempotency-Key: for a 2xx the event tells the rest, for a refusal what was seen.
CREATE TABLE idempotency_keys (
  caller                  uuid           NOT NULL,
  route                   text           NOT NULL,
  key                     text           NOT NULL,
  fingerprint             bytea          NOT NULL,
  operation_id            uuid           NOT NULL,
  answer                  smallint       NOT NULL CONSTRAINT idempotency_keys_answer_check
                                         CHECK (answer IN (200, 201, 400, 412)),
  seen_status             text,
  seen_version            integer,
  created_at              timestamptz(3) NOT NULL,
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
`

const TERMINAL = `
CREATE FUNCTION refuse_change_of_finished_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'payment % is % and can''t be changed', OLD.id, OLD.status
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_finished';
END $$;
CREATE TRIGGER payments_finished BEFORE UPDATE OR DELETE ON payments
  FOR EACH ROW WHEN (OLD.status IN ('SUCCESS', 'FAILED'))
  EXECUTE FUNCTION refuse_change_of_finished_payment();
`

const APPEND_ONLY = `
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER payment_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER webhooks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON webhooks
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payments_kept BEFORE TRUNCATE ON payments
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
`
