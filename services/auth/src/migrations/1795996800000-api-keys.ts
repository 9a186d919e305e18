import type { MigrationInterface, QueryRunner } from 'typeorm'

export class ApiKeys1795996800000 implements MigrationInterface {
  readonly name = 'ApiKeys1795996800000'

  async up(runner: QueryRunner) {
    for (const statement of STATEMENTS) {
      await runner.query(statement)
    }
  }

  async down() {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

/**
 * Each user has a merchant with the user's id, so that the owner of existing payments is a merchant. Triggers on
 * tables of 0.1.0 run with the rights of the tables' owner: after a rollback, the service has the rights of 0.1.0.
 */
const MERCHANTS = `
CREATE TABLE merchants (
  id uuid CONSTRAINT merchants_pkey PRIMARY KEY,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  closed_at timestamptz(3),
  closed_by uuid
);
COMMENT ON COLUMN merchants.id IS 'of a user’s own merchant: the id of the user';
CREATE FUNCTION create_own_merchant() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO merchants (id, created_at) VALUES (NEW.id, NEW.created_at) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER users_have_a_merchant AFTER INSERT ON users
  FOR EACH ROW EXECUTE FUNCTION create_own_merchant();
`

/** `merchant_id` has an index that includes revoked keys, because they are listed for some time. */
const API_KEYS = `
CREATE TABLE api_keys (
  id uuid CONSTRAINT api_keys_pkey PRIMARY KEY,
  merchant_id uuid NOT NULL,
  name text NOT NULL,
  hash bytea NOT NULL,
  hint text NOT NULL,
  scopes text[] NOT NULL,
  replaces uuid,
  created_by uuid NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  expires_at timestamptz(3),
  lifetime_seconds bigint,
  rotated_at timestamptz(3),
  last_used_at timestamptz(3),
  revoked_at timestamptz(3),
  revocation_cause text,
  revoked_by uuid,
  CONSTRAINT api_keys_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants (id),
  CONSTRAINT api_keys_hash_key UNIQUE (hash),
  CONSTRAINT api_keys_hash_is_sha256 CHECK (octet_length(hash) = 32),
  CONSTRAINT api_keys_name_is_short CHECK (char_length(name) BETWEEN 1 AND 100),
  CONSTRAINT api_keys_scopes_are_given CHECK (
    cardinality(scopes) > 0 AND array_position(scopes, NULL) IS NULL
  ),
  CONSTRAINT api_keys_have_no_operator_scope CHECK (
    NOT scopes && '{payments:admin,auth:admin}'::text[]
  ),
  CONSTRAINT api_keys_expire_after_creation CHECK (expires_at > created_at),
  CONSTRAINT api_keys_revocation_cause_is_known CHECK (
    revocation_cause IN ('revoked', 'rotated', 'scopes', 'merchant_closed', 'expired')
  )
);
COMMENT ON COLUMN api_keys.id IS
  'derived from the hash; the sid of the key, by which it is revoked in Redis';
COMMENT ON COLUMN api_keys.hint IS 'the prefix, and the first and last four characters';
COMMENT ON COLUMN api_keys.replaces IS 'the key whose rotation created this one';
COMMENT ON COLUMN api_keys.lifetime_seconds IS
  'from creation to the first expires_at, which a rotation shortens; NULL: no expiry';
COMMENT ON COLUMN api_keys.rotated_at IS
  'of the rotation that replaced this key; it stays valid until expires_at';
CREATE INDEX api_keys_merchant_id_idx ON api_keys (merchant_id);
CREATE INDEX api_keys_replaces_idx ON api_keys (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX api_keys_revoked_at_idx ON api_keys (revoked_at, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX api_keys_expires_at_idx ON api_keys (expires_at) WHERE revoked_at IS NULL;
`

/** The outbox publishes revocations of sessions and of keys, by their ids. */
const OUTBOX = `
ALTER TABLE revocation_outbox DROP CONSTRAINT revocation_outbox_session_id_fkey;
`

/** Validated by the next migration, since a scan of the table would block logins. */
const AUDIT = `
ALTER TABLE audit_events DROP CONSTRAINT audit_events_kind_is_known;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_kind_is_known CHECK (
  kind IN ('registration', 'login', 'login_failure', 'refresh_reuse', 'revocation',
           'password_change', 'grant', 'key_creation', 'key_rotation', 'key_revocation',
           'key_refusal', 'merchant_closure')
) NOT VALID;
`

/** As for sessions: a key that was revoked directly in the database is published and audited, and final. */
const REVOCATION = `
CREATE FUNCTION record_key_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocation_outbox (session_id, revoked_at) VALUES (NEW.id, NEW.revoked_at);
  INSERT INTO audit_events (kind, user_id, actor_id, detail)
  VALUES ('key_revocation', NEW.merchant_id, NEW.revoked_by,
          jsonb_build_object('key', NEW.id, 'cause', coalesce(NEW.revocation_cause, 'database')));
  RETURN NULL;
END $$;
CREATE TRIGGER api_keys_revocation_is_recorded AFTER UPDATE OF revoked_at ON api_keys
  FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
  EXECUTE FUNCTION record_key_revocation();

CREATE FUNCTION reject_change_of_key_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'key % is already revoked', OLD.id
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER api_keys_revocation_is_final BEFORE UPDATE OF revoked_at ON api_keys
  FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
  EXECUTE FUNCTION reject_change_of_key_revocation();
`

/**
 * A key has only scopes that its merchant has. The trigger covers requests of operators, the operator command and
 * changes made directly in the database. Without stored scopes, the default scopes of the mode apply, which only the
 * service knows: it limits the scopes of a key each time that it validates one.
 */
const REMOVED_SCOPE = `
CREATE FUNCTION revoke_keys_with_removed_scope() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE api_keys
  SET revoked_at = clock_timestamp(), revocation_cause = 'scopes'
  WHERE merchant_id = NEW.id AND revoked_at IS NULL AND NOT scopes <@ NEW.scopes;
  RETURN NULL;
END $$;
CREATE TRIGGER users_removed_scope_revokes_keys AFTER UPDATE OF scopes ON users
  FOR EACH ROW WHEN (NEW.scopes IS DISTINCT FROM OLD.scopes AND NEW.scopes IS NOT NULL)
  EXECUTE FUNCTION revoke_keys_with_removed_scope();
`

/** The lock on the user's row waits for a login, and for a request that creates a key. */
const CLOSURE = `
CREATE FUNCTION end_access_of_merchant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM users WHERE id = NEW.id FOR NO KEY UPDATE;
  UPDATE api_keys
  SET revoked_at = clock_timestamp(), revocation_cause = 'merchant_closed', revoked_by = NEW.closed_by
  WHERE merchant_id = NEW.id AND revoked_at IS NULL;
  UPDATE users SET scopes = '{}' WHERE id = NEW.id;
  PERFORM revoke_sessions_of(NEW.id, NULL, 'scopes', NEW.closed_by);
  INSERT INTO audit_events (kind, user_id, actor_id)
  VALUES ('merchant_closure', NEW.id, NEW.closed_by);
  RETURN NULL;
END $$;
CREATE TRIGGER merchants_closure_ends_access AFTER UPDATE OF closed_at ON merchants
  FOR EACH ROW WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL)
  EXECUTE FUNCTION end_access_of_merchant();
`

/** A function, because each statement in it takes a new snapshot; the calling one has waited for a lock. */
const USABLE_KEYS_OF = `
CREATE FUNCTION usable_keys_of(owner uuid) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT count(*)
    FROM api_keys
    WHERE merchant_id = owner
      AND revoked_at IS NULL
      AND rotated_at IS NULL
      AND coalesce(expires_at > clock_timestamp(), true)
  $$;
`

/**
 * Prepares the rotation of a key, for a caller that has locked the merchant. During an overlap there are two keys: the
 * oldest, which has been rotated and retains its time, and the newest, which is revoked. It does nothing if
 * `successor` exists, because an earlier attempt has then committed.
 */
const SUPERSEDE_KEY = `
CREATE FUNCTION supersede_key(
  owner uuid, target uuid, successor uuid, overlap_seconds integer, actor uuid
) RETURNS TABLE (replaced_id uuid, key_name text, key_scopes text[], lifetime bigint)
  LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  named api_keys;
  oldest api_keys;
BEGIN
  IF EXISTS (SELECT FROM api_keys WHERE id = successor) THEN
    RETURN;
  END IF;
  SELECT * INTO named
  FROM api_keys
  WHERE id = target
    AND merchant_id = owner
    AND revoked_at IS NULL
    AND coalesce(expires_at > clock_timestamp(), true)
  FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  oldest := named;
  IF named.rotated_at IS NULL THEN
    SELECT * INTO oldest
    FROM api_keys
    WHERE id = named.replaces AND revoked_at IS NULL AND expires_at > clock_timestamp()
    FOR UPDATE;
    IF NOT FOUND THEN
      oldest := named;
      UPDATE api_keys
      SET rotated_at = clock_timestamp(),
          expires_at = CASE
            WHEN overlap_seconds = 0 THEN expires_at
            ELSE least(expires_at, clock_timestamp() + make_interval(secs => overlap_seconds))
          END,
          revoked_at = CASE WHEN overlap_seconds = 0 THEN clock_timestamp() END,
          revocation_cause = CASE WHEN overlap_seconds = 0 THEN 'rotated' END,
          revoked_by = CASE WHEN overlap_seconds = 0 THEN actor END
      WHERE id = named.id;
    END IF;
  END IF;
  UPDATE api_keys
  SET revoked_at = clock_timestamp(), revocation_cause = 'rotated', revoked_by = actor
  WHERE replaces = oldest.id AND revoked_at IS NULL;
  RETURN QUERY SELECT oldest.id, named.name, named.scopes, named.lifetime_seconds;
END $$;
`

const STATEMENTS = [
  MERCHANTS,
  API_KEYS,
  OUTBOX,
  AUDIT,
  REVOCATION,
  REMOVED_SCOPE,
  CLOSURE,
  USABLE_KEYS_OF,
  SUPERSEDE_KEY,
]
