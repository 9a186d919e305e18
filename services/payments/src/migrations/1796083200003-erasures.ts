import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Lets the owner of the tables, and no other role, replace the personal data of a payer by pseudonyms: the triggers
 * allow this change of the columns that hold it, and reject every other one as before.
 */
export class Erasures1796083200003 implements MigrationInterface {
  name = 'Erasures1796083200003'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [ERASURES, PAYMENTS, EVENTS, MESSAGES, TEXTS, NOTIFICATIONS]) {
      await runner.query(statement)
    }
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

const ERASURES = `
-- What the command erase did: one row for each transaction, without personal data.
CREATE TABLE erasures (
  id                      uuid           CONSTRAINT erasures_pkey PRIMARY KEY,
  at                      timestamptz(3) NOT NULL DEFAULT now(),
  -- The pseudonyms of the phone and the email that were searched for.
  phone                   text
    CONSTRAINT erasures_phone_check CHECK (phone ~ '^[+]999[0-9]{12}$'),
  email                   text
    CONSTRAINT erasures_email_check CHECK (email ~ '^[0-9a-f]{32}@erased[.]invalid$'),
  -- The first 16 hexadecimal digits of the SHA-256 of the key that made the pseudonyms.
  key_id                  text           NOT NULL,
  -- The number of changed rows by table.
  changes                 jsonb          NOT NULL,
  CONSTRAINT erasures_person_check CHECK (num_nonnulls(phone, email) > 0)
);
CREATE TRIGGER erasures_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();

-- True for the owner of a table after SET LOCAL malipo.erasure = 'on'. The path keeps a temporary table of another role
-- from being read as pg_class.
CREATE FUNCTION public.is_erasure(relation oid) RETURNS boolean LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT current_setting('malipo.erasure', true) = 'on'
    AND EXISTS (
      SELECT FROM pg_class WHERE oid = relation AND pg_get_userbyid(relowner) = current_user
    )
$$;
`

const PAYMENTS = `
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
  ELSIF TG_OP = 'UPDATE' AND public.is_erasure(TG_RELID)
    AND NEW.customer_phone ~ '^[+]999[0-9]{12}$'
    AND NEW.customer_email ~ '^[0-9a-f]{32}@erased[.]invalid$'
    AND coalesce(NEW.description, 'erased') = 'erased'
    AND NEW.metadata IN ('{}', '{"erased": "true"}')
  THEN
    decided.customer_phone := OLD.customer_phone;
    decided.customer_email := OLD.customer_email;
    decided.description := OLD.description;
    decided.metadata := OLD.metadata;
    IF decided IS NOT DISTINCT FROM OLD THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'payment % is % and can''t be changed', OLD.id, OLD.status
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
`

const EVENTS = `
-- An event never changes. Only the owner of one that the previous release wrote is filled in once, and an erasure
-- replaces its reason.
CREATE OR REPLACE FUNCTION reject_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  compared payment_events := NEW;
BEGIN
  IF OLD.owner_id IS NULL THEN
    compared.owner_id := NULL;
  END IF;
  IF compared.reason IS DISTINCT FROM OLD.reason AND public.is_erasure(TG_RELID) THEN
    compared.reason := OLD.reason;
  END IF;
  IF compared IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
`

const MESSAGES = `
-- When the body and the headers were erased: the signature of such a message can't be verified again.
ALTER TABLE provider_messages ADD COLUMN erased_at timestamptz(3);

-- Of a callback, the attempt and the outcome may become known later. The bytes and the verdict never change, except
-- that an erasure replaces the bytes by a constant and their hash by a keyed one, once.
CREATE OR REPLACE FUNCTION reject_change_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  compared provider_messages := NEW;
BEGIN
  compared.times := OLD.times;
  compared.last_at := OLD.last_at;
  compared.last_operation_id := OLD.last_operation_id;
  IF OLD.kind = 'callback' THEN
    compared.outcome := OLD.outcome;
    IF OLD.attempt_id IS NULL THEN
      compared.attempt_id := OLD.attempt_id;
      compared.payment_id := OLD.payment_id;
    END IF;
  END IF;
  IF NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL AND public.is_erasure(TG_RELID)
    AND NEW.body = convert_to('{"erased":true}', 'UTF8')
    AND octet_length(NEW.body_hash) = 32
    AND NEW.headers <@ OLD.headers
  THEN
    compared.erased_at := OLD.erased_at;
    compared.body := OLD.body;
    compared.body_hash := OLD.body_hash;
    compared.headers := OLD.headers;
  END IF;
  IF compared IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of the content of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
`

/** The triggers name the columns that an erasure may change. The comparison includes columns that are added later. */
const TEXTS = `
CREATE FUNCTION reject_change_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF public.is_erasure(TG_RELID) AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'UPDATE of % is not allowed', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;

DROP TRIGGER attempt_events_append_only ON attempt_events;
CREATE TRIGGER attempt_events_append_only BEFORE DELETE OR TRUNCATE ON attempt_events
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
CREATE TRIGGER attempt_events_immutable BEFORE UPDATE ON attempt_events
  FOR EACH ROW EXECUTE FUNCTION reject_change_of_row('reason');

DROP TRIGGER operator_actions_append_only ON operator_actions;
CREATE TRIGGER operator_actions_append_only BEFORE DELETE OR TRUNCATE ON operator_actions
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
CREATE TRIGGER operator_actions_immutable BEFORE UPDATE ON operator_actions
  FOR EACH ROW EXECUTE FUNCTION reject_change_of_row('reason', 'evidence');

-- A proposal ends once. An erasure replaces its texts, also after that.
CREATE OR REPLACE FUNCTION reject_change_of_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  proposed attempt_proposals := NEW;
  is_erased boolean := public.is_erasure(TG_RELID);
BEGIN
  IF is_erased THEN
    proposed.reason := OLD.reason;
    proposed.evidence := OLD.evidence;
  ELSE
    proposed.ended_as := OLD.ended_as;
    proposed.ended_by := OLD.ended_by;
    proposed.ended_at := OLD.ended_at;
  END IF;
  IF OLD.ended_at IS NOT NULL AND NOT is_erased OR proposed IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
`

const NOTIFICATIONS = `
-- An erasure removes a body: the next delivery builds it again, from the erased payment.
CREATE OR REPLACE FUNCTION reject_change_of_notification() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  unbuilt notifications := NEW;
BEGIN
  IF OLD.body IS NULL THEN
    unbuilt.body := NULL;
  ELSIF NEW.body IS NULL AND public.is_erasure(TG_RELID) THEN
    unbuilt.body := OLD.body;
  END IF;
  IF unbuilt IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
`
