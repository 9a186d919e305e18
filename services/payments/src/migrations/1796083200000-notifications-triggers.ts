/**
 * What events cause: notifications, and deliveries. The functions run with the rights of their owner: after a rollback,
 * the migration of the previous release revokes the rights on tables that it does not know.
 */
export const EVENT_TRIGGERS = `
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

-- Whether an endpoint with these events gets a notification of this type.
CREATE FUNCTION is_subscribed(events text[], type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN events && ARRAY['*', type] OR type LIKE 'payment.%' AND 'payment.*' = ANY (events);

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
      AND is_subscribed(events, notification.type)
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

/** What endpoints cause: notifications of those that fail, and the rows of their health. */
export const ENDPOINT_TRIGGERS = `
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
