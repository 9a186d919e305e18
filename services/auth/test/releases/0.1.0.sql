CREATE TABLE migrations (
  id          serial             CONSTRAINT "PK_8c82d7f526340ab734260ea46be" PRIMARY KEY,
  "timestamp" bigint             NOT NULL,
  name        character varying  NOT NULL
);

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
    AND email !~ $re$[A-Z\u0001-\u0020\u007F-\u00A0\u00AD\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u1680\u180E\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF\uFFF9-\uFFFB\U000110BD\U000110CD\U00013430-\U0001343F\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E007F]$re$
  ),
  CONSTRAINT users_password_hash_is_bcrypt CHECK (
    password_hash ~ '^[$]2[aby][$][0-9]{2}[$][./A-Za-z0-9]{53}$'
  ),
  CONSTRAINT users_scopes_have_no_null CHECK (array_position(scopes, NULL) IS NULL)
);
COMMENT ON COLUMN users.password_version IS
  'incremented by each new password, not by a new hash of the same password';
COMMENT ON COLUMN users.scopes IS 'exactly these scopes; NULL: the default scopes of MODE';

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

CREATE TABLE login_attempts (
  subject bytea CONSTRAINT login_attempts_pkey PRIMARY KEY,
  expires_at timestamptz NOT NULL,
  CONSTRAINT login_attempts_subject_is_sha256 CHECK (octet_length(subject) = 32)
) WITH (fillfactor = 50);
COMMENT ON COLUMN login_attempts.expires_at IS 'when all counted attempts have expired';

CREATE TABLE revocation_outbox (
  session_id uuid CONSTRAINT revocation_outbox_pkey PRIMARY KEY,
  revoked_at timestamptz(3) NOT NULL,
  CONSTRAINT revocation_outbox_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id)
);
COMMENT ON TABLE revocation_outbox IS 'revocations that are not yet published to Redis';

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

CREATE FUNCTION revoke_sessions_of(owner uuid, except_session uuid, cause text, actor uuid)
  RETURNS TABLE (session_id uuid, at timestamptz) LANGUAGE sql VOLATILE AS $$
    UPDATE sessions
    SET revoked_at = clock_timestamp(), revocation_cause = cause, revoked_by = actor
    WHERE user_id = owner AND revoked_at IS NULL AND id IS DISTINCT FROM except_session
    RETURNING id, revoked_at
  $$;

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

SET session_replication_role = replica;

INSERT INTO migrations (id, "timestamp", name) VALUES
  ('1', '1767225600000', 'Initial1767225600000');

INSERT INTO users (id, phone, email, password_hash, password_version, scopes, created_at) VALUES
  ('01a22a5b-abe4-726a-8678-8244fb8f4041', '+256713359805', 'person13359805@example.com', '$2b$04$/6lY5WHmJ8MSMcGowJfH0.cKDRVs4E4O76Le8Wv5XoD4HZ6.fTFE.', '1', NULL, '2026-11-30 02:49:40.581+00'),
  ('01a22a5b-ae23-7af4-8bb3-e9217253fa3f', '+256794894276', 'person94894276@example.com', '$2b$04$eS6DcjIcSmxrLz0aEMe6CehcPLiqntIYBDVikYu8wsMLrFAA1hfDG', '1', '{auth:admin}', '2026-11-30 02:49:41.157+00');

INSERT INTO sessions (id, user_id, refresh_token_hash, current_token_hash, predecessors, device_token_hash, password_version, last_used_at, user_agent, address, created_at, expires_at, revoked_at, revocation_cause, revoked_by) VALUES
  ('01a22a5b-ad15-7bb5-aafd-13ed7cb92004', '01a22a5b-abe4-726a-8678-8244fb8f4041', E'\\xc5cf1ca912e39af29390632a8c2eb6a0b2a5ae08af552d8ac545eab14605a5cc', E'\\x99a401f06981622c6158597d472f474c07c4c8a755d21e9213ea4e25671287cd', '{"03c291c18f961c1258841c856761d8bef5158e582cb4bfcaed6831222bd3b606": {"salt": "f592f29e77acef30927deea8a93f95eb0a7e431df1f77647d1fa0c7e630532bd", "usedAt": "2026-11-30T02:49:40.975393+00:00", "successor": "99a401f06981622c6158597d472f474c07c4c8a755d21e9213ea4e25671287cd"}}', E'\\x7751393a2ce102b5a2975c87a32225436de245d3e170d8878e5c398c2bdbc69b', '1', '2026-11-30 02:49:40.975+00', 'node', '127.0.0.1/32', '2026-11-30 02:49:40.891+00', '2026-12-30 02:49:40.967+00', NULL, NULL, NULL),
  ('01a22a5b-ad91-7fb4-b9b3-bf476d23624c', '01a22a5b-abe4-726a-8678-8244fb8f4041', E'\\xc1903fb775a12cfa6738d91ff444addb359af5c994c3b60f62dec749167cebc1', E'\\x86590ce62f4337224d7a52c30535c1fbbd66527a26a3fb32966cfc4c37b0a840', '{}', E'\\x2946dbb3f761de39ad0212f7187a7683ee57ac9261987d9ba8df0a5b969a3a23', '1', '2026-11-30 02:49:41.011+00', 'node', '127.0.0.1/32', '2026-11-30 02:49:41.011+00', '2026-12-30 02:49:41.011+00', '2026-11-30 02:49:41.035+00', 'logout', '01a22a5b-abe4-726a-8678-8244fb8f4041'),
  ('01a22a5b-aef0-7646-adde-fb80c05d5400', '01a22a5b-ae23-7af4-8bb3-e9217253fa3f', E'\\xf7e4583c95a7e98974e608d3dc85c2f5fd45dc43b1f106a209f8163eab612407', E'\\x962a21b9dc273f108081d843306af2963f69cdb4744597109d134087f9093b8c', '{}', E'\\xca7c8cbf8e8dae701c950ec364e39990c4ad86edd1f09eaae7311ce7ecc46259', '1', '2026-11-30 02:49:41.373+00', 'node', '127.0.0.1/32', '2026-11-30 02:49:41.373+00', '2026-12-30 02:49:41.373+00', NULL, NULL, NULL);

INSERT INTO login_attempts (subject, expires_at) VALUES
  (E'\\x788d02a47b469c6bae021a23243395c4a828212ca72b79e06e734056dada2d5b', '2026-11-30 03:34:41.07381+00'),
  (E'\\xf3dfb071a524f9d8baa646653c4db073700f0f6890b466c2efe3c3199999f759', '2026-11-30 03:34:41.074155+00'),
  (E'\\x11373489a0be994ba592a4fa2f7ee85f10e5d9f03a91281431821b925bc4c37d', '2026-11-30 02:49:41.330778+00'),
  (E'\\xfc7f04e9f999ad2003c76ff29d577430a643f54e93e6f6a17b977ac5db6913d7', '2026-11-30 02:49:41.333006+00');

INSERT INTO audit_events (id, at, kind, user_id, actor_id, session_id, address, user_agent, detail) VALUES
  ('01a22a5b-abe8-776a-9a61-131273792270', '2026-11-30 02:49:40.585+00', 'registration', '01a22a5b-abe4-726a-8678-8244fb8f4041', '01a22a5b-abe4-726a-8678-8244fb8f4041', NULL, '127.0.0.1/32', 'node', '{}'),
  ('01a22a5b-ad20-7fa1-ac82-c2a24188b5fa', '2026-11-30 02:49:40.897+00', 'login', '01a22a5b-abe4-726a-8678-8244fb8f4041', '01a22a5b-abe4-726a-8678-8244fb8f4041', '01a22a5b-ad15-7bb5-aafd-13ed7cb92004', '127.0.0.1/32', 'node', '{}'),
  ('01a22a5b-ad96-75a9-874c-014d8d4e5967', '2026-11-30 02:49:41.014+00', 'login', '01a22a5b-abe4-726a-8678-8244fb8f4041', '01a22a5b-abe4-726a-8678-8244fb8f4041', '01a22a5b-ad91-7fb4-b9b3-bf476d23624c', '127.0.0.1/32', 'node', '{}'),
  ('01a22a5b-adaf-795b-b321-e31800ce489e', '2026-11-30 02:49:41.04+00', 'revocation', '01a22a5b-abe4-726a-8678-8244fb8f4041', '01a22a5b-abe4-726a-8678-8244fb8f4041', '01a22a5b-ad91-7fb4-b9b3-bf476d23624c', NULL, NULL, '{"cause": "logout"}'),
  ('01a22a5b-add2-7be8-b2be-bf59b38ac695', '2026-11-30 02:49:41.079+00', 'login_failure', '01a22a5b-abe4-726a-8678-8244fb8f4041', NULL, NULL, '127.0.0.1/32', 'node', '{}'),
  ('01a22a5b-ae25-73b3-b87c-5efd71a37623', '2026-11-30 02:49:41.157+00', 'registration', '01a22a5b-ae23-7af4-8bb3-e9217253fa3f', '01a22a5b-ae23-7af4-8bb3-e9217253fa3f', NULL, '127.0.0.1/32', 'node', '{}'),
  ('01a22a5b-ae87-7387-a91f-211bd1436543', '2026-11-30 02:49:41.255+00', 'grant', '01a22a5b-ae23-7af4-8bb3-e9217253fa3f', NULL, NULL, NULL, NULL, '{"before": null, "scopes": ["auth:admin"]}'),
  ('01a22a5b-aefe-7769-bcb0-7ee30a6b3b75', '2026-11-30 02:49:41.374+00', 'login', '01a22a5b-ae23-7af4-8bb3-e9217253fa3f', '01a22a5b-ae23-7af4-8bb3-e9217253fa3f', '01a22a5b-aef0-7646-adde-fb80c05d5400', '127.0.0.1/32', 'node', '{}');

RESET session_replication_role;
