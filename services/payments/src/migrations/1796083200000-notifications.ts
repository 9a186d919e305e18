import type { MigrationInterface, QueryRunner } from 'typeorm'

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

/*
 * The functions run with the rights of their owner: the migration of the previous release, after a rollback, revokes
 * the rights on tables that it does not know.
 */
const EVENT_TRIGGERS = `
-- The previous release does not write the owner.
CREATE FUNCTION set_owner_of_event() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  NEW.owner_id := (SELECT owner_id FROM payments WHERE id = NEW.payment_id);
  RETURN NEW;
END $$;
CREATE TRIGGER payment_events_owner BEFORE INSERT ON payment_events
  FOR EACH ROW WHEN (NEW.owner_id IS NULL)
  EXECUTE FUNCTION set_owner_of_event();

-- Writes a notification, and its deliveries to the subscribed endpoints of its owner but the subject itself.
CREATE FUNCTION notify_endpoints(notification notifications) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO notifications VALUES (notification.*);
  WITH created AS (
    INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at)
    SELECT uuidv7(), notification.id, endpoint.id, 'pending', now()
    FROM webhook_endpoints AS endpoint
    WHERE owner_id = notification.owner_id
      AND state = 'enabled'
      AND endpoint.id <> notification.subject_id
      AND (
        events && ARRAY['*', notification.type]
        OR notification.type LIKE 'payment.%' AND 'payment.*' = ANY (events)
      )
    RETURNING id, endpoint_id
  )
  INSERT INTO delivery_work (delivery_id, endpoint_id, due_at)
  SELECT id, endpoint_id, now() FROM created;
END $$;

-- Whatever changes a payment writes an event, and with it the notification and its deliveries.
CREATE FUNCTION notify_of_event() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM webhook_endpoints WHERE owner_id = NEW.owner_id AND state <> 'deleted') THEN
    PERFORM notify_endpoints((
      NEW.operation_id, NEW.owner_id,
      payment_event_type(NEW.from_status, NEW.to_status, NEW.late_success, NEW.at),
      NEW.payment_id, NEW.version, NULL, NEW.at
    )::notifications);
  END IF;
  RETURN NULL;
END $$;
-- A new payment is no news to its merchant.
CREATE TRIGGER payment_events_notify AFTER INSERT ON payment_events
  FOR EACH ROW WHEN (NEW.from_status IS NOT NULL)
  EXECUTE FUNCTION notify_of_event();

-- An event never changes. Only the owner of one that the previous release wrote is filled in once.
CREATE FUNCTION reject_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  unowned payment_events := NEW;
BEGIN
  IF OLD.owner_id IS NULL THEN
    unowned.owner_id := NULL;
  END IF;
  IF unowned IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER payment_events_append_only ON payment_events;
CREATE TRIGGER payment_events_append_only BEFORE DELETE OR TRUNCATE ON payment_events
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
CREATE TRIGGER payment_events_immutable BEFORE UPDATE ON payment_events
  FOR EACH ROW EXECUTE FUNCTION reject_change_of_event();
`

const ENDPOINT_TRIGGERS = `
-- The merchant's other endpoints learn that this one fails, or was disabled by the service.
CREATE FUNCTION notify_of_endpoint(endpoint webhook_endpoints, event_type text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  iso CONSTANT text := 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"';
  body json := json_build_object(
    'type', event_type,
    'timestamp', to_char(now() AT TIME ZONE 'UTC', iso),
    'data', (
      SELECT json_build_object(
        'id', endpoint.id, 'url', endpoint.url, 'state', endpoint.state,
        'disabledReason', endpoint.disabled_reason,
        'failingSince', to_char(failing_since AT TIME ZONE 'UTC', iso)
      )
      FROM webhook_endpoint_health
      WHERE endpoint_id = endpoint.id
    )
  );
BEGIN
  PERFORM notify_endpoints((
    uuidv7(), endpoint.owner_id, event_type, endpoint.id, endpoint.version, body::text, now()
  )::notifications);
END $$;

CREATE FUNCTION notify_of_disabled_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM notify_of_endpoint(NEW, 'webhook_endpoint.disabled');
  RETURN NULL;
END $$;
CREATE TRIGGER webhook_endpoints_disabled AFTER UPDATE ON webhook_endpoints
  FOR EACH ROW WHEN (
    OLD.state = 'enabled' AND NEW.state = 'disabled' AND NEW.disabled_reason <> 'merchant'
  )
  EXECUTE FUNCTION notify_of_disabled_endpoint();

CREATE FUNCTION notify_of_failing_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM notify_of_endpoint(endpoint, 'webhook_endpoint.failing')
  FROM webhook_endpoints AS endpoint
  WHERE id = NEW.endpoint_id;
  RETURN NULL;
END $$;
CREATE TRIGGER webhook_endpoint_health_warned AFTER UPDATE ON webhook_endpoint_health
  FOR EACH ROW WHEN (NEW.warnings > OLD.warnings)
  EXECUTE FUNCTION notify_of_failing_endpoint();

-- Each endpoint has a row of its health, and its counts start again when it is enabled.
CREATE FUNCTION reset_health_of_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO webhook_endpoint_health AS health (endpoint_id) VALUES (NEW.id)
  ON CONFLICT (endpoint_id) DO UPDATE
  SET failures = 0, failed_tries = 0, failing_since = NULL, last_failure_at = NULL,
    open_until = '-infinity', warnings = 0;
  RETURN NULL;
END $$;
CREATE TRIGGER webhook_endpoints_created AFTER INSERT ON webhook_endpoints
  FOR EACH ROW EXECUTE FUNCTION reset_health_of_endpoint();
CREATE TRIGGER webhook_endpoints_enabled AFTER UPDATE ON webhook_endpoints
  FOR EACH ROW WHEN (OLD.state = 'disabled' AND NEW.state = 'enabled')
  EXECUTE FUNCTION reset_health_of_endpoint();
`
