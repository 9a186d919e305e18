/** The triggers of the migration `Providers`. */
export const TRIGGERS = `
CREATE FUNCTION reject_attempts_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'attempt % is % and can''t change its state', OLD.id, OLD.state
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER payment_attempts_closed BEFORE UPDATE ON payment_attempts
  FOR EACH ROW WHEN (
    OLD.closed_at IS NOT NULL AND (OLD.state, OLD.closed_at) IS DISTINCT FROM (NEW.state, NEW.closed_at)
    OR (OLD.id, OLD.payment_id, OLD.account, OLD.reference)
      IS DISTINCT FROM (NEW.id, NEW.payment_id, NEW.account, NEW.reference)
  )
  EXECUTE FUNCTION reject_attempts_change();
CREATE TRIGGER payment_attempts_no_delete BEFORE DELETE OR TRUNCATE ON payment_attempts
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
CREATE TRIGGER provider_accounts_no_delete BEFORE DELETE OR TRUNCATE ON provider_accounts
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
CREATE TRIGGER attempt_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON attempt_events
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();

-- The status of a payment with an account follows its attempt. Other code, such as that of the previous release,
-- does not set attempt_version.
CREATE FUNCTION reject_change_without_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'payment % changes only with its attempt', OLD.id
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER payments_attempt BEFORE UPDATE ON payments
  FOR EACH ROW WHEN (
    OLD.account IS DISTINCT FROM NEW.account
    OR OLD.account IS NOT NULL
      AND OLD.status IS DISTINCT FROM NEW.status
      AND OLD.attempt_version IS NOT DISTINCT FROM NEW.attempt_version
  )
  EXECUTE FUNCTION reject_change_without_attempt();

-- A terminal payment keeps its status. Its attempt may still state a late success, and call for attention.
CREATE OR REPLACE FUNCTION reject_change_of_terminal_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  decided payments := NEW;
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.attempt_version > OLD.attempt_version AND NEW.version = OLD.version + 1 THEN
    decided.version := OLD.version;
    decided.attempt_version := OLD.attempt_version;
    decided.updated_at := OLD.updated_at;
    decided.needs_attention := OLD.needs_attention;
    decided.amount_unverified := OLD.amount_unverified;
    IF OLD.status = 'FAILED' AND OLD.late_success IS NULL THEN
      decided.late_success := OLD.late_success;
    END IF;
    IF decided IS NOT DISTINCT FROM OLD THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'payment % is % and can''t be changed', OLD.id, OLD.status
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;

-- Of a callback, the attempt and the outcome may become known later. Its bytes and its verdict never change.
CREATE OR REPLACE FUNCTION reject_change_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  uncounted provider_messages := NEW;
BEGIN
  uncounted.times := OLD.times;
  uncounted.last_at := OLD.last_at;
  uncounted.last_operation_id := OLD.last_operation_id;
  IF OLD.kind = 'callback' THEN
    uncounted.outcome := OLD.outcome;
    IF OLD.attempt_id IS NULL THEN
      uncounted.attempt_id := OLD.attempt_id;
      uncounted.payment_id := OLD.payment_id;
    END IF;
  END IF;
  IF uncounted IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of the content of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
`
