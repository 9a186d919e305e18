import type { MigrationInterface, QueryRunner } from 'typeorm'
import { TRIGGERS } from './1795996800000-providers-triggers.js'

/**
 * Creates the tables of provider accounts, attempts and their work, and extends payments, their events and the
 * providers' messages. It only expands: the previous release runs on this schema, and can't change the status of a
 * payment that has a provider account.
 */
export class Providers1795996800000 implements MigrationInterface {
  name = 'Providers1795996800000'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [
      ACCOUNTS,
      ATTEMPTS,
      WORK,
      LIMITS,
      RECOVERIES,
      PAYMENTS,
      EVENTS,
      MESSAGES,
      TRIGGERS,
    ]) {
      await runner.query(statement)
    }
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

const ACCOUNTS = `
-- The accounts of PROVIDERS_FILE that have ever been used. Apart from the state, an account never changes.
CREATE TABLE provider_accounts (
  name                    text           CONSTRAINT provider_accounts_pkey PRIMARY KEY
    CONSTRAINT provider_accounts_name_check CHECK (name ~ '^[a-z][a-z0-9-]{0,39}$'),
  adapter                 text           NOT NULL,
  mode                    text           NOT NULL
    CONSTRAINT provider_accounts_mode_check CHECK (mode IN ('sandbox', 'live')),
  country                 text           NOT NULL
    CONSTRAINT provider_accounts_country_check CHECK (country ~ '^[A-Z]{2}$'),
  currency                text           NOT NULL
    CONSTRAINT provider_accounts_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
  base_url                text           NOT NULL,
  state                   text           NOT NULL
    CONSTRAINT provider_accounts_state_check CHECK (state IN ('active', 'draining', 'closed')),
  created_at              timestamptz(3) NOT NULL
);

-- The token bucket and the circuit breaker of each kind of call, shared by all replicas.
CREATE TABLE provider_call_limits (
  account                 text           NOT NULL
    CONSTRAINT provider_call_limits_account_fkey REFERENCES provider_accounts,
  call                    text           NOT NULL
    CONSTRAINT provider_call_limits_call_check CHECK (call IN ('send', 'query')),
  tokens                  double precision NOT NULL,
  refilled_at             timestamptz    NOT NULL,
  -- Failed calls in a row.
  failures                integer        NOT NULL DEFAULT 0,
  open_until              timestamptz    NOT NULL DEFAULT '-infinity',
  CONSTRAINT provider_call_limits_pkey PRIMARY KEY (account, call)
) WITH (fillfactor = 50);
`

const ATTEMPTS = `
-- A request for money to a provider, under one reference.
CREATE TABLE payment_attempts (
  id                      uuid           CONSTRAINT payment_attempts_pkey PRIMARY KEY,
  -- Without a foreign key: the statement that inserts the row inserts its payment and the payment's first event. That
  -- event, which has a foreign key, keeps the payment from being deleted.
  payment_id              uuid           NOT NULL,
  -- An account of provider_accounts. A foreign key would lock the one row of the account for each attempt, together
  -- with all concurrent transactions.
  account                 text           NOT NULL,
  reference               text           NOT NULL,
  state                   text           NOT NULL
    CONSTRAINT payment_attempts_state_check CHECK (state IN
      ('queued', 'sending', 'accepted', 'in_doubt', 'succeeded', 'declined', 'not_sent')),
  provider_reference      text,
  provider_transaction_id text,
  failure                 text,
  provider_code           text,
  -- The attempt is not sent after this time: a prompt after minutes is unwelcome.
  send_until              timestamptz(3) NOT NULL,
  -- The first claim by a sender.
  sent_at                 timestamptz(3),
  closed_at               timestamptz(3),
  -- What ended the attempt: a cause of attempt_events.
  closed_cause            text,
  late_success_at         timestamptz(3),
  -- The traceparent of the request that created the attempt, if it was recorded.
  trace_parent            text,
  -- Why an operator must look at the attempt.
  attention               text,
  attention_at            timestamptz(3),
  created_at              timestamptz(3) NOT NULL,
  updated_at              timestamptz(3) NOT NULL,
  version                 integer        NOT NULL,
  CONSTRAINT payment_attempts_closed_check
    CHECK ((closed_at IS NOT NULL) = (state IN ('succeeded', 'declined', 'not_sent'))),
  CONSTRAINT payment_attempts_failure_check
    CHECK ((failure IS NOT NULL) = (state IN ('declined', 'not_sent'))),
  CONSTRAINT payment_attempts_attention_check
    CHECK ((attention IS NULL) = (attention_at IS NULL)),
  CONSTRAINT payment_attempts_reference_key UNIQUE (account, reference)
);
-- A payment has one attempt at most: a failed attempt ends its payment.
CREATE UNIQUE INDEX payment_attempts_payment_id_key ON payment_attempts (payment_id);
CREATE INDEX payment_attempts_provider_reference_idx
  ON payment_attempts (account, provider_reference) WHERE provider_reference IS NOT NULL;
CREATE INDEX payment_attempts_attention_idx ON payment_attempts (id) WHERE attention IS NOT NULL;
-- Lists of operators. An index on the state would take 8 % of the time of an attempt's statements.
CREATE INDEX payment_attempts_account_idx ON payment_attempts (account, id);
CREATE INDEX payment_attempts_failure_idx ON payment_attempts (id) WHERE failure IS NOT NULL;

-- One row per version of an attempt after the first.
CREATE TABLE attempt_events (
  attempt_id              uuid           NOT NULL
    CONSTRAINT attempt_events_attempt_id_fkey REFERENCES payment_attempts,
  version                 integer        NOT NULL,
  operation_id            uuid           NOT NULL,
  from_state              text           NOT NULL,
  to_state                text           NOT NULL,
  cause                   text           NOT NULL
    CONSTRAINT attempt_events_cause_check CHECK (cause IN
      ('claim', 'response', 'query', 'callback', 'webhook', 'expiry', 'operator', 'recovery')),
  -- The evidence: a row of provider_messages.
  message_id              uuid,
  actor                   text           NOT NULL,
  reason                  text,
  at                      timestamptz(3) NOT NULL,
  CONSTRAINT attempt_events_pkey PRIMARY KEY (attempt_id, version),
  CONSTRAINT attempt_events_operation_id_key UNIQUE (operation_id, attempt_id)
);
`

const WORK = `
-- The next call of each attempt that needs one. Rows are short-lived, so that the table stays small.
CREATE TABLE attempt_work (
  -- Without a foreign key: each statement that inserts a row reads the id from payment_attempts or inserts it there,
  -- and attempts are never deleted.
  attempt_id              uuid           CONSTRAINT attempt_work_pkey PRIMARY KEY,
  account                 text           NOT NULL,
  -- The payment's owner, among whom queries on request are shared.
  owner_id                uuid           NOT NULL,
  call                    text           NOT NULL
    CONSTRAINT attempt_work_call_check CHECK (call IN ('send', 'query')),
  -- 0: a callback arrived; 1: by schedule; 2: on request.
  priority                smallint       NOT NULL DEFAULT 1,
  -- The version of this row's meaning. A replica claims only the formats that it knows.
  format                  smallint       NOT NULL DEFAULT 1,
  -- When the call is due. While a replica holds the lease, the end of the lease.
  due_at                  timestamptz    NOT NULL,
  -- That of the attempt: a row that is to be sent is not sent after this time.
  send_until              timestamptz(3)
    CONSTRAINT attempt_work_send_until_check CHECK (call <> 'send' OR send_until IS NOT NULL),
  lease_id                uuid,
  -- The number of calls of this kind so far.
  tries                   smallint       NOT NULL DEFAULT 0,
  -- Queries in a row that did not find the charge.
  misses                  smallint       NOT NULL DEFAULT 0,
  -- The last callback. If it arrived during a query, that query may have been answered before.
  wanted_at               timestamptz    NOT NULL DEFAULT '-infinity',
  -- The last query on request.
  requested_at            timestamptz    NOT NULL DEFAULT '-infinity'
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX attempt_work_due_idx ON attempt_work (account, call, priority, due_at);
CREATE INDEX attempt_work_send_until_idx ON attempt_work (account, send_until) WHERE call = 'send';
CREATE INDEX attempt_work_requested_idx ON attempt_work (account, owner_id) WHERE priority = 2;
CREATE INDEX attempt_work_lease_idx ON attempt_work (lease_id) WHERE lease_id IS NOT NULL;
`

const LIMITS = `
-- The payers who were asked for money, with the times of the last requests, the newest first.
CREATE TABLE payers (
  phone                   text           CONSTRAINT payers_pkey PRIMARY KEY,
  last_attempt_id         uuid           NOT NULL,
  recent                  timestamptz[]  NOT NULL
) WITH (fillfactor = 70);

-- The number of payments with an account that a merchant has created on a day of UTC.
CREATE TABLE merchant_days (
  owner_id                uuid           NOT NULL,
  day                     date           NOT NULL,
  payments                integer        NOT NULL,
  CONSTRAINT merchant_days_pkey PRIMARY KEY (owner_id, day)
) WITH (fillfactor = 50);
`

const RECOVERIES = `
-- The restores after which the attempts that may have been sent since were put in doubt.
CREATE TABLE recoveries (
  id                      text           CONSTRAINT recoveries_pkey PRIMARY KEY,
  since                   timestamptz(3) NOT NULL,
  attempts                integer        NOT NULL,
  at                      timestamptz(3) NOT NULL
);
`

const PAYMENTS = `
ALTER TABLE payments
  -- The provider account; null with the provider manual.
  ADD COLUMN account             text,
  ADD COLUMN failure             text,
  ADD COLUMN provider_code       text,
  ADD COLUMN needs_attention     boolean NOT NULL DEFAULT false,
  ADD COLUMN amount_unverified   boolean NOT NULL DEFAULT false,
  -- A success that was reported after the payment had failed: amountMinor, providerTransactionId, at.
  ADD COLUMN late_success        jsonb,
  -- Account and transaction id of a success, where they must be unique.
  ADD COLUMN transaction_key     text,
  -- The version of the attempt that last changed the payment.
  ADD COLUMN attempt_version     integer;
`

const EVENTS = `
ALTER TABLE payment_events
  DROP CONSTRAINT payment_events_cause_check,
  ADD CONSTRAINT payment_events_cause_check
    CHECK (cause IN ('create', 'status', 'webhook', 'attempt')) NOT VALID,
  ADD COLUMN failure             text,
  ADD COLUMN provider_code       text,
  ADD COLUMN needs_attention     boolean NOT NULL DEFAULT false,
  ADD COLUMN amount_unverified   boolean NOT NULL DEFAULT false,
  ADD COLUMN late_success        jsonb,
  -- The evidence: a row of provider_messages.
  ADD COLUMN message_id          uuid;
`

const MESSAGES = `
ALTER TABLE provider_messages
  ALTER COLUMN webhook_id DROP NOT NULL,
  ALTER COLUMN reading DROP NOT NULL,
  ADD COLUMN attempt_id uuid
    CONSTRAINT provider_messages_attempt_id_fkey REFERENCES payment_attempts,
  -- Of the answer to a request of ours.
  ADD COLUMN http_status smallint,
  DROP CONSTRAINT provider_messages_kind_check,
  ADD CONSTRAINT provider_messages_kind_check
    CHECK (kind IN ('webhook', 'callback', 'send', 'query')) NOT VALID,
  DROP CONSTRAINT provider_messages_verdict_check,
  ADD CONSTRAINT provider_messages_verdict_check
    CHECK (verdict IN ('signed', 'token', 'unsigned', 'invalid', 'response')) NOT VALID,
  DROP CONSTRAINT provider_messages_outcome_check,
  ADD CONSTRAINT provider_messages_outcome_check CHECK (outcome IN
    ('applied', 'superseded', 'conflict', 'stored', 'parked', 'unchanged', 'late_success',
     'late_failure', 'unexpected_success', 'amount_mismatch', 'duplicate_transaction')) NOT VALID,
  DROP CONSTRAINT provider_messages_key_id_check,
  ADD CONSTRAINT provider_messages_key_id_check
    CHECK (kind <> 'webhook' OR (key_id IS NOT NULL) = (verdict = 'signed')) NOT VALID,
  DROP CONSTRAINT provider_messages_payment_check,
  ADD CONSTRAINT provider_messages_payment_check
    CHECK (kind <> 'webhook' OR (payment_id IS NULL) = (outcome = 'conflict')) NOT VALID,
  ADD CONSTRAINT provider_messages_webhook_check
    CHECK (kind <> 'webhook' OR webhook_id IS NOT NULL AND reading IS NOT NULL) NOT VALID;
`
