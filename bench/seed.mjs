/**
 * Inserts finished payments of an account, each with five events and an attempt, and a callback for every fifth, and
 * analyzes all tables: plans of a database with a history differ from those of an empty one.
 *
 * @param {import('pg').Client} client
 * @param {string} account which must exist
 * @param {number} payments
 */
export async function seedFinished(client, account, payments) {
  const statements = [
    `SET session_replication_role = replica`,
    `CREATE TEMPORARY TABLE seeds AS SELECT uuidv7() AS id, n FROM generate_series(1, ${payments}) AS n`,
    `INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email,
       metadata, status, created_at, updated_at, version, account, provider_name, transaction_key)
     SELECT id, gen_random_uuid(), 5000, 'UGX', 'MOBILE_MONEY', '+2567' || lpad(n::text, 8, '0'), 'a@example.com',
       '{}', 'SUCCESS', now(), now(), 5, '${account}', 'mtn-momo', '${account} ' || n || 'x' FROM seeds`,
    `INSERT INTO payment_events (payment_id, version, operation_id, to_status, at, actor, cause)
     SELECT id, version, gen_random_uuid(), 'SUCCESS', now(), 'x', 'attempt' FROM seeds, generate_series(1, 5) AS version`,
    `INSERT INTO payment_attempts (id, payment_id, account, reference, state, send_until, created_at, updated_at,
       closed_at, version, provider_reference)
     SELECT id, id, '${account}', id::text, 'succeeded', now(), now(), now(), now(), 3, 'p' || n FROM seeds`,
    `INSERT INTO provider_messages (id, source, kind, payment_id, attempt_id, verdict, headers, body, body_hash,
       reading, outcome, received_at, last_at, last_operation_id)
     SELECT gen_random_uuid(), 'provider:${account}', 'callback', id, id, 'unsigned', '{}', '', sha256(n::text::bytea),
       '{}', 'stored', now(), now(), gen_random_uuid() FROM seeds WHERE n % 5 = 0`,
    `SET session_replication_role = origin`,
    `DROP TABLE seeds`,
    `VACUUM ANALYZE`,
  ]
  for (const text of statements) await client.query(text)
}
