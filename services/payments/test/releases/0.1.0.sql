CREATE TABLE migrations (
  id          serial             CONSTRAINT "PK_8c82d7f526340ab734260ea46be" PRIMARY KEY,
  "timestamp" bigint             NOT NULL,
  name        character varying  NOT NULL
);

CREATE TABLE payments (
  id                      uuid           CONSTRAINT payments_pkey PRIMARY KEY,
  reference               text           GENERATED ALWAYS AS ('PAY-' || id::text) VIRTUAL,
  owner_id                uuid           NOT NULL,
  amount_minor            bigint         NOT NULL
    CONSTRAINT payments_amount_minor_check CHECK (amount_minor > 0),
  currency                text           NOT NULL
    CONSTRAINT payments_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
  payment_method          text           NOT NULL
    CONSTRAINT payments_payment_method_check
    CHECK (payment_method IN ('MOBILE_MONEY', 'CARD', 'BANK_TRANSFER')),
  customer_phone          text           NOT NULL
    CONSTRAINT payments_customer_phone_check CHECK (customer_phone ~ '^[+][1-9][0-9]{5,14}$'),
  customer_email          text           NOT NULL
    CONSTRAINT payments_customer_email_check CHECK (
      char_length(customer_email) <= 254
      AND customer_email LIKE '_%@_%'
      AND customer_email IS NFC NORMALIZED
      AND customer_email !~ $re$[A-Z\u0001-\u0020\u007F-\u00A0\u00AD\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u1680\u180E\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF\uFFF9-\uFFFB\U000110BD\U000110CD\U00013430-\U0001343F\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E007F]$re$
    ),
  description             text,
  metadata                jsonb          NOT NULL,
  status                  text           NOT NULL
    CONSTRAINT payments_status_check
    CHECK (status IN ('INITIATED', 'PENDING', 'SUCCESS', 'FAILED')),
  provider_name           text,
  provider_transaction_id text,
  last_webhook_id         text,
  last_webhook_at         timestamptz(3),
  created_at              timestamptz(3) NOT NULL,
  updated_at              timestamptz(3) NOT NULL,
  version                 integer        NOT NULL
);
CREATE INDEX payments_owner_id_id_idx ON payments (owner_id, id DESC);
CREATE INDEX payments_customer_phone_id_idx ON payments (customer_phone, id DESC);
CREATE INDEX payments_open_idx ON payments (status, updated_at)
  WHERE status IN ('INITIATED', 'PENDING');

-- One row per version of a payment.
CREATE TABLE payment_events (
  payment_id              uuid           NOT NULL
    CONSTRAINT payment_events_payment_id_fkey REFERENCES payments,
  version                 integer        NOT NULL,
  operation_id            uuid           NOT NULL
    CONSTRAINT payment_events_operation_id_key UNIQUE,
  from_status             text,
  to_status               text           NOT NULL,
  at                      timestamptz(3) NOT NULL,
  actor                   text           NOT NULL,
  cause                   text           NOT NULL
    CONSTRAINT payment_events_cause_check CHECK (cause IN ('create', 'status', 'webhook')),
  reason                  text,
  -- The payment's other mutable columns as of this change.
  provider_name           text,
  provider_transaction_id text,
  last_webhook_id         text,
  last_webhook_at         timestamptz(3),
  -- The transaction that inserted the row. Events are added to the totals in this order.
  xid                     xid8           NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT payment_events_pkey PRIMARY KEY (payment_id, version)
);
CREATE INDEX payment_events_xid_idx ON payment_events (xid);

-- The number of payments that have entered each status, and the sum of their amounts.
CREATE TABLE payment_totals (
  status                  text           NOT NULL,
  payment_method          text           NOT NULL,
  currency                text           NOT NULL,
  entered                 bigint         NOT NULL,
  amount_minor            numeric        NOT NULL,
  CONSTRAINT payment_totals_pkey PRIMARY KEY (status, payment_method, currency)
) WITH (fillfactor = 50);

-- A single row: payment_totals includes the events up to this transaction.
CREATE TABLE payment_totals_position (
  singleton               boolean        DEFAULT true
    CONSTRAINT payment_totals_position_pkey PRIMARY KEY
    CONSTRAINT payment_totals_position_singleton_check CHECK (singleton),
  folded_through          xid8           NOT NULL
) WITH (fillfactor = 50);
INSERT INTO payment_totals_position (folded_through) VALUES ('0');

-- The inbox, and the evidence of what was sent: every webhook that was applied or superseded, or that reused an id
-- with other content (conflict).
CREATE TABLE provider_messages (
  id                      uuid           CONSTRAINT provider_messages_pkey PRIMARY KEY,
  source                  text           NOT NULL
    CONSTRAINT provider_messages_source_check CHECK (source ~ '^(provider|user):.'),
  kind                    text           NOT NULL
    CONSTRAINT provider_messages_kind_check CHECK (kind IN ('webhook')),
  webhook_id              text           NOT NULL,
  payment_id              uuid
    CONSTRAINT provider_messages_payment_id_fkey REFERENCES payments,
  -- How the sender was authenticated: by a provider's signature, or by a user's token.
  verdict                 text           NOT NULL
    CONSTRAINT provider_messages_verdict_check CHECK (verdict IN ('signed', 'token')),
  -- The key that verified the signature.
  key_id                  text,
  -- The three headers of the signature; empty without one.
  headers                 jsonb          NOT NULL,
  -- The bytes as received.
  body                    bytea          NOT NULL
    CONSTRAINT provider_messages_body_check CHECK (octet_length(body) <= 100000),
  body_hash               bytea          NOT NULL,
  -- The fields that the service acted on.
  reading                 jsonb          NOT NULL,
  outcome                 text           NOT NULL
    CONSTRAINT provider_messages_outcome_check
    CHECK (outcome IN ('applied', 'superseded', 'conflict')),
  -- Repetitions of a conflict are counted, not stored.
  times                   integer        NOT NULL DEFAULT 1,
  -- The time that the sender states.
  occurred_at             timestamptz(3),
  received_at             timestamptz(3) NOT NULL,
  last_at                 timestamptz(3) NOT NULL,
  last_operation_id       uuid           NOT NULL,
  CONSTRAINT provider_messages_key_id_check CHECK ((key_id IS NOT NULL) = (verdict = 'signed')),
  CONSTRAINT provider_messages_payment_check CHECK ((payment_id IS NULL) = (outcome = 'conflict'))
);
-- Deduplicates webhooks permanently.
CREATE UNIQUE INDEX provider_messages_webhook_key ON provider_messages (source, webhook_id)
  WHERE outcome <> 'conflict';
CREATE UNIQUE INDEX provider_messages_conflict_key
  ON provider_messages (source, webhook_id, body_hash) WHERE outcome = 'conflict';
CREATE INDEX provider_messages_payment_id_idx ON provider_messages (payment_id)
  WHERE payment_id IS NOT NULL;

-- The response to the first request with a key: its status, and the version of the resource that it shows.
CREATE TABLE idempotency_keys (
  caller                  uuid           NOT NULL,
  route                   text           NOT NULL,
  key                     text           NOT NULL,
  fingerprint             bytea          NOT NULL,
  operation_id            uuid           NOT NULL,
  response_status         smallint       NOT NULL
    CONSTRAINT idempotency_keys_response_status_check CHECK (response_status BETWEEN 200 AND 499),
  resource_type           text           NOT NULL,
  resource_id             uuid           NOT NULL,
  resource_version        integer        NOT NULL,
  created_at              timestamptz(3) NOT NULL,
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

CREATE FUNCTION reject_change_of_terminal_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'payment % is % and can''t be changed', OLD.id, OLD.status
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER payments_terminal BEFORE UPDATE OR DELETE ON payments
  FOR EACH ROW WHEN (OLD.status IN ('SUCCESS', 'FAILED'))
  EXECUTE FUNCTION reject_change_of_terminal_payment();

CREATE FUNCTION reject_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % is not allowed', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER payments_no_truncate BEFORE TRUNCATE ON payments
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
CREATE TRIGGER payment_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();

-- Only the count of a message's repetitions may change. The comparison includes columns that are added later.
CREATE FUNCTION reject_change_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  uncounted provider_messages := NEW;
BEGIN
  uncounted.times := OLD.times;
  uncounted.last_at := OLD.last_at;
  uncounted.last_operation_id := OLD.last_operation_id;
  IF uncounted IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of the content of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER provider_messages_immutable BEFORE UPDATE ON provider_messages
  FOR EACH ROW EXECUTE FUNCTION reject_change_of_message();
CREATE TRIGGER provider_messages_append_only BEFORE DELETE OR TRUNCATE ON provider_messages
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();

SET session_replication_role = replica;

INSERT INTO migrations (id, "timestamp", name) VALUES
  ('1', '1795910400000', 'Initial1795910400000');

INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email, description, metadata, status, provider_name, provider_transaction_id, last_webhook_id, last_webhook_at, created_at, updated_at, version) VALUES
  ('01a22a5b-ad75-745f-a520-4f6ec51d6640', '00000000-0000-7000-8000-000000000001', '5005', 'USD', 'CARD', '+256772123456', 'amina@example.com', 'Shoes, “size 42”', E'{"note": "it''s \\\\ \\"new\\"", "order": "17"}', 'INITIATED', NULL, NULL, NULL, NULL, '2026-11-30 02:49:40.981+00', '2026-11-30 02:49:40.981+00', '1'),
  ('01a22a5b-ae01-757a-8423-26528bfa00c6', '00000000-0000-7000-8000-000000000001', '5000', 'UGX', 'MOBILE_MONEY', '+256772123456', 'amina@example.com', NULL, '{}', 'INITIATED', NULL, NULL, NULL, NULL, '2026-11-30 02:49:41.121+00', '2026-11-30 02:49:41.121+00', '1'),
  ('01a22a5b-ae29-7ee2-b8df-c8c4be60162f', '00000000-0000-7000-8000-000000000001', '5000', 'UGX', 'MOBILE_MONEY', '+256772123456', 'amina@example.com', NULL, '{}', 'SUCCESS', NULL, NULL, NULL, NULL, '2026-11-30 02:49:41.161+00', '2026-11-30 02:49:41.266+00', '3'),
  ('01a22a5b-aeea-728f-a9d9-70ba61a8ccf6', '00000000-0000-7000-8000-000000000001', '5000', 'UGX', 'MOBILE_MONEY', '+256772123456', 'amina@example.com', NULL, '{}', 'FAILED', NULL, NULL, NULL, NULL, '2026-11-30 02:49:41.354+00', '2026-11-30 02:49:41.617+00', '3'),
  ('01a22a5b-b016-7c20-871a-58f0586e7ac9', '00000000-0000-7000-8000-000000000001', '5000', 'UGX', 'MOBILE_MONEY', '+256772123456', 'amina@example.com', NULL, '{}', 'SUCCESS', 'mtn', 'MP260101.1', 'evt-of-the-release', '2026-11-30 02:49:41.72+00', '2026-11-30 02:49:41.654+00', '2026-11-30 02:49:41.72+00', '3');

INSERT INTO payment_events (payment_id, version, operation_id, from_status, to_status, at, actor, cause, reason, provider_name, provider_transaction_id, last_webhook_id, last_webhook_at) VALUES
  ('01a22a5b-ad75-745f-a520-4f6ec51d6640', '1', '01a22a5b-ad75-7001-87a4-f068184c8e2d', NULL, 'INITIATED', '2026-11-30 02:49:40.981+00', '00000000-0000-7000-8000-000000000001', 'create', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-ae01-757a-8423-26528bfa00c6', '1', '01a22a5b-ae01-7f4f-b10d-ebc3b45851d4', NULL, 'INITIATED', '2026-11-30 02:49:41.121+00', '00000000-0000-7000-8000-000000000001', 'create', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-ae29-7ee2-b8df-c8c4be60162f', '1', '01a22a5b-ae2a-7ef7-956e-e116ceb9014f', NULL, 'INITIATED', '2026-11-30 02:49:41.161+00', '00000000-0000-7000-8000-000000000001', 'create', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-ae29-7ee2-b8df-c8c4be60162f', '2', '01a22a5b-ae39-77d6-9048-ca285ff53024', 'INITIATED', 'PENDING', '2026-11-30 02:49:41.177+00', '00000000-0000-7000-8000-000000000001', 'status', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-ae29-7ee2-b8df-c8c4be60162f', '3', '01a22a5b-ae92-7d2a-9da1-5323c752e0dc', 'PENDING', 'SUCCESS', '2026-11-30 02:49:41.266+00', '00000000-0000-7000-8000-000000000001', 'status', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-aeea-728f-a9d9-70ba61a8ccf6', '1', '01a22a5b-aeea-767a-a913-e3f99817a276', NULL, 'INITIATED', '2026-11-30 02:49:41.354+00', '00000000-0000-7000-8000-000000000001', 'create', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-aeea-728f-a9d9-70ba61a8ccf6', '2', '01a22a5b-af5e-7531-8175-1748f274d849', 'INITIATED', 'PENDING', '2026-11-30 02:49:41.47+00', '00000000-0000-7000-8000-000000000001', 'status', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-aeea-728f-a9d9-70ba61a8ccf6', '3', '01a22a5b-aff1-7de3-8e9c-f882971aff36', 'PENDING', 'FAILED', '2026-11-30 02:49:41.617+00', '00000000-0000-7000-8000-000000000001', 'status', 'The customer has cancelled.', NULL, NULL, NULL, NULL),
  ('01a22a5b-b016-7c20-871a-58f0586e7ac9', '1', '01a22a5b-b016-7147-8d39-7b7910844c59', NULL, 'INITIATED', '2026-11-30 02:49:41.654+00', '00000000-0000-7000-8000-000000000001', 'create', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-b016-7c20-871a-58f0586e7ac9', '2', '01a22a5b-b032-7e03-a474-701695d9c55b', 'INITIATED', 'PENDING', '2026-11-30 02:49:41.683+00', '00000000-0000-7000-8000-000000000001', 'status', NULL, NULL, NULL, NULL, NULL),
  ('01a22a5b-b016-7c20-871a-58f0586e7ac9', '3', '01a22a5b-b058-7c64-85ce-bb918aef225c', 'PENDING', 'SUCCESS', '2026-11-30 02:49:41.72+00', 'mtn', 'webhook', NULL, 'mtn', 'MP260101.1', 'evt-of-the-release', '2026-11-30 02:49:41.72+00');

INSERT INTO provider_messages (id, source, kind, webhook_id, payment_id, verdict, key_id, headers, body, body_hash, reading, outcome, times, occurred_at, received_at, last_at, last_operation_id) VALUES
  ('01a22a5b-b058-7c62-a473-4fd2b973e14d', 'provider:mtn', 'webhook', 'evt-of-the-release', '01a22a5b-b016-7c20-871a-58f0586e7ac9', 'signed', '95fc5266294f91ec', '{"webhook-id": "evt-of-the-release", "webhook-signature": "v1,ajyIKyizWAJFGtxM3tOy/hfcv+GURNbYFP84ctxbgsA=", "webhook-timestamp": "1796006981"}', E'\\x7b22776562686f6f6b4964223a226576742d6f662d7468652d72656c65617365222c227265666572656e6365223a225041592d30316132326135622d623031362d376332302d383731612d353866303538366537616339222c22737461747573223a2253554343455353222c2270726f76696465725472616e73616374696f6e4964223a224d503236303130312e31222c2274696d657374616d70223a22323032362d30312d33315431323a30303a30302e3030305a227d', E'\\xe1237201cf2b52df069ae69c503cae8cf788dbaa5350765a57cc071140822bb3', '{"status": "SUCCESS", "reference": "PAY-01a22a5b-b016-7c20-871a-58f0586e7ac9", "providerTransactionId": "MP260101.1"}', 'applied', '1', '2026-01-31 12:00:00+00', '2026-11-30 02:49:41.72+00', '2026-11-30 02:49:41.72+00', '01a22a5b-b058-7c64-85ce-bb918aef225c'),
  ('01a22a5b-b0cd-7696-a113-5b2e1d35c642', 'provider:mtn', 'webhook', 'evt-of-the-release', NULL, 'signed', '95fc5266294f91ec', '{"webhook-id": "evt-of-the-release", "webhook-signature": "v1,w1WhkSBsuGDodBUl/iaNROF3ucghYie4GryEnPNLTCo=", "webhook-timestamp": "1796006981"}', E'\\x7b22776562686f6f6b4964223a226576742d6f662d7468652d72656c65617365222c227265666572656e6365223a225041592d30316132326135622d623031362d376332302d383731612d353866303538366537616339222c22737461747573223a224641494c4544222c2270726f76696465725472616e73616374696f6e4964223a224d503236303130312e31222c2274696d657374616d70223a22323032362d30312d33315431323a30303a30302e3030305a227d', E'\\x557289f2bda2ffcf2e45c454008294be161ebf04cf94a302c98b16be2ffade81', '{"status": "FAILED", "reference": "PAY-01a22a5b-b016-7c20-871a-58f0586e7ac9", "providerTransactionId": "MP260101.1"}', 'conflict', '1', '2026-01-31 12:00:00+00', '2026-11-30 02:49:41.837+00', '2026-11-30 02:49:41.837+00', '01a22a5b-b0cd-7b52-b9be-f930fd324569');

INSERT INTO idempotency_keys (caller, route, key, fingerprint, operation_id, response_status, resource_type, resource_id, resource_version, created_at) VALUES
  ('00000000-0000-7000-8000-000000000001', 'POST /api/payments', 'order-17', E'\\x49f25a5eedc4f7b020f2f3e3bb47b0ab3d881f567335214f365656da3451f441', '01a22a5b-ad75-7001-87a4-f068184c8e2d', '201', 'payment', '01a22a5b-ad75-745f-a520-4f6ec51d6640', '1', '2026-11-30 02:49:40.981+00');

RESET session_replication_role;
