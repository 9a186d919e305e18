import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Sessions that are refreshed and end, what is to be told of their end, and the audit trail.
 *
 * The release before goes on beside this one: it opens sessions without the new columns, all of which
 * may be missing or have a default that PostgreSQL adds without touching a row. Its refresh tokens are the
 * first part of today's alone, so that `refresh_token_hash` is now the hash of that part.
 */
export class SessionLifecycle1769904000000 implements MigrationInterface {
  readonly name = 'SessionLifecycle1769904000000'

  async up(runner: QueryRunner) {
    for (const statement of [SESSIONS, USERS, UNTOLD, AUDIT, ENDING, ENDING_ALL]) {
      await runner.query(statement)
    }
  }

  async down() {
    throw new Error('Migrations go forward only: restore a backup instead')
  }
}

/** The checks are of rows to come: those that are there have none of the columns. */
const SESSIONS = `
ALTER TABLE sessions
  ADD COLUMN current_token_hash bytea,
  ADD COLUMN previous_token_hash bytea,
  ADD COLUMN rotated_at timestamptz(3),
  ADD COLUMN last_used_at timestamptz(3),
  ADD COLUMN user_agent text,
  ADD COLUMN address inet,
  ADD COLUMN end_cause text,
  ADD COLUMN ended_by uuid,
  ADD CONSTRAINT sessions_token_hashes_are_sha256 CHECK (
    octet_length(current_token_hash) = 32 AND octet_length(previous_token_hash) = 32
  ) NOT VALID,
  ADD CONSTRAINT sessions_user_agent_is_short CHECK (char_length(user_agent) <= 256) NOT VALID,
  ADD CONSTRAINT sessions_end_cause_is_known CHECK (
    end_cause IN ('logout', 'revoked', 'password', 'scopes', 'refresh_reuse')
  ) NOT VALID;
COMMENT ON COLUMN sessions.refresh_token_hash IS
  'of the part that all refresh tokens of the session begin with; current_token_hash is of the rest';
CREATE INDEX sessions_ended_at_idx ON sessions (ended_at, id) WHERE ended_at IS NOT NULL;
`

const USERS = `
ALTER TABLE users ADD COLUMN password_version integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN users.password_version IS
  'one more with each new password; another hash of the same password is not a new one';
`

const UNTOLD = `
CREATE TABLE revocations_untold (
  session_id uuid CONSTRAINT revocations_untold_pkey PRIMARY KEY,
  at timestamptz(3) NOT NULL,
  CONSTRAINT revocations_untold_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id)
);
COMMENT ON TABLE revocations_untold IS 'Sessions that are over and whose end Redis was not told yet';
`

const AUDIT = `
CREATE TABLE audit_events (
  id uuid NOT NULL DEFAULT uuidv7() CONSTRAINT audit_events_pkey PRIMARY KEY,
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
COMMENT ON COLUMN audit_events.user_id IS 'whose account it is about; NULL: a phone that nobody has';
COMMENT ON COLUMN audit_events.actor_id IS 'who did it; NULL: not known, or who has the database';
CREATE INDEX audit_events_user_id_id_idx ON audit_events (user_id, id);
CREATE INDEX audit_events_kind_id_idx ON audit_events (kind, id);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
`

/**
 * Whoever ends a session, by whatever statement: its end is to be told, and is in the audit trail. What
 * is over stays over, since a token that lives on would by then have no mark in Redis any more.
 */
const ENDING = `
CREATE FUNCTION note_end_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocations_untold (session_id, at) VALUES (NEW.id, NEW.ended_at);
  INSERT INTO audit_events (kind, user_id, actor_id, session_id, detail)
  VALUES ('revocation', NEW.user_id, NEW.ended_by, NEW.id,
          jsonb_build_object('cause', coalesce(NEW.end_cause, 'database')));
  RETURN NULL;
END $$;
CREATE TRIGGER sessions_end_is_noted AFTER UPDATE OF ended_at ON sessions
  FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
  EXECUTE FUNCTION note_end_of_session();

CREATE FUNCTION refuse_change_of_ended_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'session % is over', OLD.id
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sessions_ended';
END $$;
CREATE TRIGGER sessions_ended BEFORE UPDATE OF ended_at ON sessions
  FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
  EXECUTE FUNCTION refuse_change_of_ended_session();
`

/**
 * A function, because its statement sees what was committed before it began, and not only what was when the
 * statement that calls it did: a caller that has waited for the user's row would miss the session of
 * the login that it waited for.
 */
const ENDING_ALL = `
CREATE FUNCTION end_sessions_of(owner uuid, spared uuid, cause text, actor uuid)
  RETURNS TABLE (session_id uuid, at timestamptz) LANGUAGE sql VOLATILE AS $$
    UPDATE sessions
       SET ended_at = clock_timestamp(), end_cause = cause, ended_by = actor
     WHERE user_id = owner AND ended_at IS NULL AND id IS DISTINCT FROM spared
    RETURNING id, ended_at
  $$;
`
