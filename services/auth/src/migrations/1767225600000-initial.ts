import type { MigrationInterface, QueryRunner } from 'typeorm'

export class Initial1767225600000 implements MigrationInterface {
  readonly name = 'Initial1767225600000'

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
 * White space, control characters and format characters (category Cf) of Unicode 17, in a bracket expression. It is
 * quoted with `$re$`, because `standard_conforming_strings` decides what a backslash between apostrophes means.
 */
const INVISIBLE = [
  String.raw`\u0001-\u0020\u007F-\u00A0\u00AD\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u1680\u180E`,
  String.raw`\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF\uFFF9-\uFFFB`,
  String.raw`\U000110BD\U000110CD\U00013430-\U0001343F\U0001BCA0-\U0001BCA3`,
  String.raw`\U0001D173-\U0001D17A\U000E0000-\U000E007F`,
].join('')

/** The service generates ids, so that a retried INSERT finds its own row. */
const USERS = `
CREATE TABLE users (
  id uuid CONSTRAINT users_pkey PRIMARY KEY,
  phone text NOT NULL,
  email text NOT NULL,
  password_hash text NOT NULL,
  password_version integer NOT NULL DEFAULT 1,
  scopes text[],
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT users_phone_key UNIQUE (phone),
  CONSTRAINT users_email_key UNIQUE (email),
  CONSTRAINT users_phone_is_e164 CHECK (phone ~ '^[+][1-9][0-9]{5,14}$'),
  CONSTRAINT users_email_is_normal CHECK (
    char_length(email) <= 254
    AND email LIKE '_%@_%'
    AND email IS NFC NORMALIZED
    AND email !~ $re$[A-Z${INVISIBLE}]$re$
  ),
  CONSTRAINT users_password_hash_is_bcrypt CHECK (
    password_hash ~ '^[$]2[aby][$][0-9]{2}[$][./A-Za-z0-9]{53}$'
  ),
  CONSTRAINT users_scopes_have_no_null CHECK (array_position(scopes, NULL) IS NULL)
);
COMMENT ON COLUMN users.password_version IS
  'incremented by each new password, not by a new hash of the same password';
COMMENT ON COLUMN users.scopes IS 'exactly these scopes; NULL: the default scopes of MODE';
`

/** The index by user excludes revoked sessions, which accumulate and are never read by user. */
const SESSIONS = `
CREATE TABLE sessions (
  id uuid CONSTRAINT sessions_pkey PRIMARY KEY,
  user_id uuid NOT NULL,
  refresh_token_hash bytea NOT NULL,
  current_token_hash bytea NOT NULL,
  predecessors jsonb NOT NULL DEFAULT '{}',
  device_token_hash bytea,
  password_version integer NOT NULL DEFAULT 1,
  last_used_at timestamptz(3) NOT NULL,
  user_agent text,
  address inet,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  expires_at timestamptz(3) NOT NULL,
  revoked_at timestamptz(3),
  revocation_cause text,
  revoked_by uuid,
  CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
  CONSTRAINT sessions_refresh_token_hash_key UNIQUE (refresh_token_hash),
  CONSTRAINT sessions_token_hashes_are_sha256 CHECK (
    octet_length(refresh_token_hash) = 32
    AND octet_length(current_token_hash) = 32
    AND octet_length(device_token_hash) = 32
  ),
  CONSTRAINT sessions_user_agent_is_short CHECK (char_length(user_agent) <= 256),
  CONSTRAINT sessions_expire_after_creation CHECK (expires_at > created_at),
  CONSTRAINT sessions_revocation_cause_is_known CHECK (
    revocation_cause IN ('logout', 'revoked', 'password', 'scopes', 'refresh_reuse', 'session_limit')
  )
);
COMMENT ON COLUMN sessions.refresh_token_hash IS
  'of the first part, which all refresh tokens of the session share';
COMMENT ON COLUMN sessions.current_token_hash IS 'of the second part of the current refresh token';
COMMENT ON COLUMN sessions.predecessors IS
  'recently replaced tokens by hash, each with its first use and the salt and hash of its successor';
COMMENT ON COLUMN sessions.password_version IS
  'of the password that opened the session, or that the session set; another version invalidates its device token';
CREATE INDEX sessions_user_id_idx ON sessions (user_id) WHERE revoked_at IS NULL;
CREATE INDEX sessions_revoked_at_idx ON sessions (revoked_at, id) WHERE revoked_at IS NOT NULL;
`

/** `fillfactor` leaves space in each page for updates, which change no indexed column (HOT). */
const LOGIN_ATTEMPTS = `
CREATE TABLE login_attempts (
  subject bytea CONSTRAINT login_attempts_pkey PRIMARY KEY,
  expires_at timestamptz NOT NULL,
  CONSTRAINT login_attempts_subject_is_sha256 CHECK (octet_length(subject) = 32)
) WITH (fillfactor = 50);
COMMENT ON COLUMN login_attempts.expires_at IS 'when all counted attempts have expired';
`

const OUTBOX = `
CREATE TABLE revocation_outbox (
  session_id uuid CONSTRAINT revocation_outbox_pkey PRIMARY KEY,
  revoked_at timestamptz(3) NOT NULL,
  CONSTRAINT revocation_outbox_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id)
);
COMMENT ON TABLE revocation_outbox IS 'revocations that are not yet published to Redis';
`

/** Only the table's owner can delete audit events, and only after SET LOCAL malipo.retention = 'on'. */
const AUDIT = `
CREATE TABLE audit_events (
  id uuid DEFAULT uuidv7() CONSTRAINT audit_events_pkey PRIMARY KEY,
  at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL,
  user_id uuid,
  actor_id uuid,
  session_id uuid,
  address inet,
  user_agent text,
  detail jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT audit_events_kind_is_known CHECK (
    kind IN ('registration', 'login', 'login_failure', 'refresh_reuse', 'revocation',
             'password_change', 'grant')
  ),
  CONSTRAINT audit_events_user_agent_is_short CHECK (char_length(user_agent) <= 256)
);
COMMENT ON COLUMN audit_events.user_id IS 'subject; NULL if no account has the phone';
COMMENT ON COLUMN audit_events.actor_id IS
  'actor; NULL if unknown or changed directly in the database';
CREATE INDEX audit_events_user_id_id_idx ON audit_events (user_id, id);
CREATE INDEX audit_events_kind_id_idx ON audit_events (kind, id);
CREATE FUNCTION reject_change_of_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE'
    AND current_setting('malipo.retention', true) = 'on'
    AND EXISTS (
      SELECT 1 FROM pg_class WHERE oid = TG_RELID AND pg_get_userbyid(relowner) = current_user
    )
  THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'audit_events is append-only'
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER audit_events_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION reject_change_of_audit_events();
`

/**
 * Because these are triggers, a session revoked directly in the database is also published and audited. A
 * revocation is final: otherwise a reinstated session could outlive the Redis key that rejects its tokens.
 */
const REVOCATION = `
CREATE FUNCTION record_session_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocation_outbox (session_id, revoked_at) VALUES (NEW.id, NEW.revoked_at);
  INSERT INTO audit_events (kind, user_id, actor_id, session_id, detail)
  VALUES ('revocation', NEW.user_id, NEW.revoked_by, NEW.id,
          jsonb_build_object('cause', coalesce(NEW.revocation_cause, 'database')));
  RETURN NULL;
END $$;
CREATE TRIGGER sessions_revocation_is_recorded AFTER UPDATE OF revoked_at ON sessions
  FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
  EXECUTE FUNCTION record_session_revocation();

CREATE FUNCTION reject_change_of_session_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'session % is already revoked', OLD.id
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER sessions_revocation_is_final BEFORE UPDATE OF revoked_at ON sessions
  FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
  EXECUTE FUNCTION reject_change_of_session_revocation();
`

/**
 * A function, because each statement in it takes a new snapshot. The calling statement may have waited for
 * a login that locked the user's row. Its own, older snapshot does not contain the session of that login.
 */
const REVOKE_SESSIONS_OF = `
CREATE FUNCTION revoke_sessions_of(owner uuid, except_session uuid, cause text, actor uuid)
  RETURNS TABLE (session_id uuid, at timestamptz) LANGUAGE sql VOLATILE AS $$
    UPDATE sessions
    SET revoked_at = clock_timestamp(), revocation_cause = cause, revoked_by = actor
    WHERE user_id = owner AND revoked_at IS NULL AND id IS DISTINCT FROM except_session
    RETURNING id, revoked_at
  $$;
`

/** A function for the same reason: concurrent logins wait for each other's lock on the user's row. */
const EVICT_SESSIONS_OF = `
CREATE FUNCTION evict_sessions_of(owner uuid, new_session uuid, retained integer)
  RETURNS TABLE (session_id uuid, at timestamptz) LANGUAGE sql VOLATILE AS $$
    UPDATE sessions
    SET revoked_at = clock_timestamp(), revocation_cause = 'session_limit', revoked_by = owner
    WHERE revoked_at IS NULL
      AND id IN (
        SELECT id
        FROM sessions
        WHERE user_id = owner AND id <> new_session AND revoked_at IS NULL AND expires_at > now()
        ORDER BY last_used_at DESC, id DESC
        OFFSET retained
      )
    RETURNING id, revoked_at
  $$;
`

/** A change of scopes made directly in the database is audited too, without actor. */
const SCOPE_CHANGE = `
CREATE FUNCTION record_scope_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- A statement of the service has inserted its own event, with the actor.
  IF NOT EXISTS (
    SELECT FROM audit_events
    WHERE user_id = NEW.id
      AND kind = 'grant'
      AND detail -> 'scopes' = to_jsonb(NEW.scopes)
      AND xmin = pg_current_xact_id()::xid
  ) THEN
    INSERT INTO audit_events (kind, user_id, detail)
    VALUES ('grant', NEW.id, jsonb_build_object(
      'before', CASE TG_OP WHEN 'UPDATE' THEN to_jsonb(OLD.scopes) END,
      'scopes', to_jsonb(NEW.scopes)
    ));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER users_scope_change_is_recorded AFTER UPDATE OF scopes ON users
  FOR EACH ROW WHEN (NEW.scopes IS DISTINCT FROM OLD.scopes)
  EXECUTE FUNCTION record_scope_change();
CREATE TRIGGER users_initial_scopes_are_recorded AFTER INSERT ON users
  FOR EACH ROW WHEN (NEW.scopes IS NOT NULL)
  EXECUTE FUNCTION record_scope_change();
`

const STATEMENTS = [
  USERS,
  SESSIONS,
  LOGIN_ATTEMPTS,
  OUTBOX,
  AUDIT,
  REVOCATION,
  REVOKE_SESSIONS_OF,
  EVICT_SESSIONS_OF,
  SCOPE_CHANGE,
]
