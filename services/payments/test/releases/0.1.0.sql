-- What release 0.1.0 wrote: a payment in each status with its events, a webhook and two idempotency keys.
-- Frozen: a later release must work with it. The tests put the owner's id for :owner.
INSERT INTO payments
  (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email, description, metadata,
   status, provider_name, provider_transaction_id, last_webhook_id, last_webhook_at, created_at, updated_at, version)
VALUES
  ('019aa0a0-0000-7000-8000-000000000001', ':owner', 5000, 'UGX', 'MOBILE_MONEY', '+256772123456',
   'amina@example.com', 'School fees', '{"order": "17"}', 'INITIATED', NULL, NULL, NULL, NULL,
   '2026-01-31 12:00:00.001+00', '2026-01-31 12:00:00.001+00', 1),
  ('019aa0a0-0000-7000-8000-000000000002', ':owner', 123456, 'USD', 'CARD', '+254712345678',
   'brian@example.com', NULL, '{}', 'PENDING', NULL, NULL, NULL, NULL,
   '2026-01-31 12:00:00.002+00', '2026-01-31 12:01:00.002+00', 2),
  ('019aa0a0-0000-7000-8000-000000000003', ':owner', 1, 'UGX', 'MOBILE_MONEY', '+256772123456',
   'amina@example.com', NULL, '{}', 'SUCCESS', 'mtn', 'MP240101.1200.A1', 'evt-1', '2026-01-31 12:02:00.003+00',
   '2026-01-31 12:00:00.003+00', '2026-01-31 12:02:00.003+00', 3),
  ('019aa0a0-0000-7000-8000-000000000004', ':owner', 1000000000000, 'UGX', 'BANK_TRANSFER', '+256772123456',
   'amina@example.com', NULL, '{}', 'FAILED', NULL, 'BANK-7', NULL, NULL,
   '2026-01-31 12:00:00.004+00', '2026-01-31 12:02:00.004+00', 3);

INSERT INTO payment_events
  (payment_id, version, operation_id, from_status, to_status, at, actor, cause, reason,
   provider_name, provider_transaction_id, last_webhook_id, last_webhook_at)
SELECT id, 1, ('019aa0a1-0000-7000-8000-00000000000' || right(id::text, 1))::uuid, NULL, 'INITIATED', created_at,
       owner_id::text, 'create', NULL, NULL, NULL, NULL, NULL::timestamptz
  FROM payments
UNION ALL
SELECT id, 2, ('019aa0a2-0000-7000-8000-00000000000' || right(id::text, 1))::uuid, 'INITIATED', 'PENDING',
       created_at + interval '1 minute', owner_id::text, 'status', NULL, NULL, NULL, NULL, NULL
  FROM payments WHERE version > 1
UNION ALL
SELECT id, 3, ('019aa0a3-0000-7000-8000-00000000000' || right(id::text, 1))::uuid, 'PENDING', status, updated_at,
       coalesce(provider_name, owner_id::text), CASE WHEN last_webhook_id IS NULL THEN 'status' ELSE 'webhook' END,
       CASE WHEN status = 'FAILED' THEN 'The bank said no' END,
       provider_name, provider_transaction_id, last_webhook_id, last_webhook_at
  FROM payments WHERE version > 2;

INSERT INTO webhooks (source, webhook_id, payment_id, status, outcome, operation_id, payload, received_at)
VALUES ('provider:mtn', 'evt-1', '019aa0a0-0000-7000-8000-000000000003', 'SUCCESS', 'applied',
        '019aa0a3-0000-7000-8000-000000000003', '{"status": "SUCCESS"}', '2026-01-31 12:02:00.003+00');

INSERT INTO idempotency_keys
  (caller, route, key, fingerprint, operation_id, answer, seen_status, seen_version, created_at)
VALUES
  (':owner', 'POST /api/payments', 'order-17',
   '\xc52e7ebda7ad87e114eaf69f4e61cc81d756c26464706434b1242ac3e03967c6',
   '019aa0a1-0000-7000-8000-000000000001', 201, NULL, NULL, now()),
  (':owner', 'POST /api/payments/PAY-019aa0a0-0000-7000-8000-000000000001/status', 'too-early',
   '\x0fa70c588df01a6a9098593118d6d35f98f22485d721b353a39dac08479ed644',
   '019aa0a4-0000-7000-8000-000000000001', 400, 'INITIATED', 1, now());
