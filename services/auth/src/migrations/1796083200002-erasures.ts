import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Lets the owner of the tables, and no other role, remove the personal data of a user from the audit trail. */
export class Erasures1796083200002 implements MigrationInterface {
  readonly name = 'Erasures1796083200002'

  async up(runner: QueryRunner) {
    for (const statement of [KINDS, TRIGGERS]) {
      await runner.query(statement)
    }
  }

  async down() {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

/** Validated by the next migration, since a scan of the table would block logins. */
const KINDS = `
ALTER TABLE audit_events DROP CONSTRAINT audit_events_kind_is_known;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_kind_is_known CHECK (
  kind IN ('registration', 'login', 'login_failure', 'refresh_reuse', 'revocation',
           'password_change', 'grant', 'key_creation', 'key_rotation', 'key_revocation',
           'key_refusal', 'merchant_closure', 'erasure')
) NOT VALID;
`

/**
 * Every role may create a temporary table named pg_class, which is found before that of pg_catalog.
 *
 * After SET LOCAL malipo.erasure = 'on', the owner's UPDATE passes the trigger of the statement. The trigger of the row
 * then allows only that the address and the user agent are removed, and the name of an API key is replaced.
 */
const TRIGGERS = `
CREATE FUNCTION public.is_erasure(relation oid) RETURNS boolean LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT current_setting('malipo.erasure', true) = 'on'
    AND EXISTS (
      SELECT FROM pg_class WHERE oid = relation AND pg_get_userbyid(relowner) = current_user
    )
$$;

CREATE OR REPLACE FUNCTION reject_change_of_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE'
    AND current_setting('malipo.retention', true) = 'on'
    AND EXISTS (
      SELECT 1 FROM pg_catalog.pg_class WHERE oid = TG_RELID AND pg_get_userbyid(relowner) = current_user
    )
  THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND public.is_erasure(TG_RELID) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'audit_events is append-only'
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;

-- The comparison includes columns that are added later.
CREATE FUNCTION reject_other_change_of_audit_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  compared audit_events := NEW;
BEGIN
  IF NEW.address IS NULL THEN
    compared.address := OLD.address;
  END IF;
  IF NEW.user_agent IS NULL THEN
    compared.user_agent := OLD.user_agent;
  END IF;
  IF OLD.detail ? 'name' AND NEW.detail ->> 'name' = 'erased' THEN
    compared.detail := jsonb_set(NEW.detail, '{name}', OLD.detail -> 'name');
  END IF;
  IF compared IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'audit_events is append-only'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_events_are_only_erased BEFORE UPDATE ON audit_events
  FOR EACH ROW EXECUTE FUNCTION reject_other_change_of_audit_event();
`
