import type { MigrationInterface, QueryRunner } from 'typeorm'
import { ENDPOINT_TRIGGERS, EVENT_TRIGGERS } from './1796083200000-notifications-triggers.js'

/**
 * Creates the tables of webhook endpoints, notifications and their deliveries, and the trigger that writes them. It
 * only expands: also a payment that the previous release changes is notified.
 */
export class Notifications1796083200000 implements MigrationInterface {
  name = 'Notifications1796083200000'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [
      ENDPOINTS,
      NOTIFICATIONS,
      DELIVERIES,
      EVENTS,
      EVENT_TRIGGERS,
      ENDPOINT_TRIGGERS,
    ]) {
      await runner.query(statement)
    }
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

const ENDPOINTS = `
-- Where merchants receive notifications.
CREATE TABLE webhook_endpoints (
  id                      uuid           CONSTRAINT webhook_endpoints_pkey PRIMARY KEY,
  owner_id                uuid           NOT NULL,
  url                     text           NOT NULL
    CONSTRAINT webhook_endpoints_url_check CHECK (length(url) <= 2048),
  -- Names of events, payment.* or *.
  events                  text[]         NOT NULL
    CONSTRAINT webhook_endpoints_events_check CHECK (cardinality(events) > 0),
  description             text,
  state                   text           NOT NULL
    CONSTRAINT webhook_endpoints_state_check CHECK (state IN ('enabled', 'disabled', 'deleted')),
  disabled_reason         text
    CONSTRAINT webhook_endpoints_disabled_reason_check
    CHECK (disabled_reason IN ('merchant', 'gone', 'failing')),
  created_at              timestamptz(3) NOT NULL,
  updated_at              timestamptz(3) NOT NULL,
  version                 integer        NOT NULL,
  CONSTRAINT webhook_endpoints_disabled_check
    CHECK (state = 'deleted' OR (disabled_reason IS NOT NULL) = (state = 'disabled'))
);
CREATE INDEX webhook_endpoints_owner_idx ON webhook_endpoints (owner_id, id)
  WHERE state <> 'deleted';

-- How an endpoint answers. Its row changes only when this does, and not with every delivery.
CREATE TABLE webhook_endpoint_health (
  endpoint_id             uuid           CONSTRAINT webhook_endpoint_health_pkey PRIMARY KEY
    CONSTRAINT webhook_endpoint_health_endpoint_id_fkey REFERENCES webhook_endpoints,
  -- Tries in a row that failed as an endpoint does that is down. They open the circuit.
  failures                integer        NOT NULL DEFAULT 0,
  -- All failed tries since the last 2xx, with the times of the first and of the last.
  failed_tries            integer        NOT NULL DEFAULT 0,
  failing_since           timestamptz(3),
  last_failure_at         timestamptz(3),
  -- The circuit is open until then.
  open_until              timestamptz    NOT NULL DEFAULT '-infinity',
  -- How many times the merchant was notified since failing_since.
  warnings                smallint       NOT NULL DEFAULT 0,
  -- Whether the last answer took over 2 s, or there is none yet.
  is_slow                 boolean        NOT NULL DEFAULT true
) WITH (fillfactor = 50);

-- The newest secret signs alone once the others have expired.
CREATE TABLE webhook_endpoint_secrets (
  endpoint_id             uuid           NOT NULL
    CONSTRAINT webhook_endpoint_secrets_endpoint_id_fkey REFERENCES webhook_endpoints,
  nth                     integer        NOT NULL,
  scheme                  text           NOT NULL
    CONSTRAINT webhook_endpoint_secrets_scheme_check CHECK (scheme IN ('v1', 'v1a')),
  -- The key of WEBHOOK_ENCRYPTION_KEYS_DIR that sealed the secret.
  key_id                  text           NOT NULL,
  -- AES-256-GCM: nonce, ciphertext and tag.
  sealed                  bytea          NOT NULL,
  created_at              timestamptz(3) NOT NULL,
  expires_at              timestamptz(3),
  CONSTRAINT webhook_endpoint_secrets_pkey PRIMARY KEY (endpoint_id, nth)
);
CREATE TRIGGER webhook_endpoints_no_delete BEFORE DELETE OR TRUNCATE ON webhook_endpoints
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
`

const NOTIFICATIONS = `
-- What happened, once for all endpoints of its owner.
CREATE TABLE notifications (
  -- webhook-id is evt_ and this in hexadecimal. Of a payment's event, it is the operation id.
  id                      uuid           CONSTRAINT notifications_pkey PRIMARY KEY,
  owner_id                uuid           NOT NULL,
  type                    text           NOT NULL,
  -- A payment or an endpoint, and its version after the change.
  subject_id              uuid           NOT NULL,
  subject_version         integer        NOT NULL,
  -- Built by the first delivery. Every later one sends the same bytes.
  body                    text,
  created_at              timestamptz(3) NOT NULL
);
CREATE INDEX notifications_owner_idx ON notifications (owner_id, created_at, id);
CREATE INDEX notifications_subject_idx ON notifications (subject_id, subject_version);
CREATE INDEX notifications_created_at_idx ON notifications (created_at);

CREATE FUNCTION reject_change_of_notification() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  unbuilt notifications := NEW;
BEGIN
  IF OLD.body IS NULL THEN
    unbuilt.body := NULL;
  END IF;
  IF unbuilt IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notifications_immutable BEFORE UPDATE ON notifications
  FOR EACH ROW EXECUTE FUNCTION reject_change_of_notification();
`

const DELIVERIES = `
-- A notification for one endpoint. Without foreign keys: each would lock its parent's row for each delivery, and
-- neither is deleted before its deliveries.
CREATE TABLE deliveries (
  id                      uuid           CONSTRAINT deliveries_pkey PRIMARY KEY,
  notification_id         uuid           NOT NULL,
  endpoint_id             uuid           NOT NULL,
  state                   text           NOT NULL
    CONSTRAINT deliveries_state_check
    CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
  tries                   smallint       NOT NULL DEFAULT 0,
  last_status             smallint,
  last_error              text,
  created_at              timestamptz(3) NOT NULL,
  delivered_at            timestamptz(3),
  CONSTRAINT deliveries_notification_key UNIQUE (notification_id, endpoint_id)
) WITH (fillfactor = 80);
CREATE INDEX deliveries_endpoint_idx ON deliveries (endpoint_id, id);

-- The next try of each delivery that needs one. Rows are short-lived, so that the table stays small.
CREATE TABLE delivery_work (
  delivery_id             uuid           CONSTRAINT delivery_work_pkey PRIMARY KEY,
  endpoint_id             uuid           NOT NULL,
  -- The version of this row's meaning. A replica claims only the formats that it knows.
  format                  smallint       NOT NULL DEFAULT 1,
  -- When the try is due. While a replica holds the lease, the end of the lease.
  due_at                  timestamptz    NOT NULL,
  lease_id                uuid,
  -- The number of tries since the notification, or since it was last resent.
  tries                   smallint       NOT NULL DEFAULT 0
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX delivery_work_due_idx ON delivery_work (endpoint_id, due_at);
CREATE INDEX delivery_work_lease_idx ON delivery_work (lease_id) WHERE lease_id IS NOT NULL;

-- Every try, with the beginning of its answer.
CREATE TABLE delivery_tries (
  delivery_id             uuid           NOT NULL,
  nth                     smallint       NOT NULL,
  operation_id            uuid           NOT NULL,
  at                      timestamptz(3) NOT NULL,
  took_ms                 integer        NOT NULL,
  status                  smallint,
  error                   text,
  answer                  text
    CONSTRAINT delivery_tries_answer_check CHECK (length(answer) <= 512),
  CONSTRAINT delivery_tries_pkey PRIMARY KEY (delivery_id, nth)
);
`

const EVENTS = `
ALTER TABLE payment_events ADD COLUMN owner_id uuid;

-- The name of a payment's event: EVENT_TYPES of the service. The time in late_success is that of its event.
CREATE FUNCTION payment_event_type(
  from_status text, to_status text, late_success jsonb, at timestamptz
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
  WHEN from_status IS NULL THEN 'payment.created'
  WHEN from_status IS DISTINCT FROM to_status THEN
    CASE to_status
      WHEN 'PENDING' THEN 'payment.pending'
      WHEN 'SUCCESS' THEN 'payment.succeeded'
      WHEN 'FAILED' THEN 'payment.failed'
    END
  WHEN (late_success ->> 'at')::timestamptz(3) = at THEN 'payment.late_success'
  ELSE 'payment.updated'
END;
`
