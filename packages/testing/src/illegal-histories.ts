/** The histories of payments and their attempts that payments must never write, as SQL on its database. */

const OPEN = `('queued', 'sending', 'accepted', 'in_doubt')`

/** Queries that find what must not exist, by its name; each returns a row for each case. */
export const ILLEGAL_HISTORIES: Readonly<Record<string, string>> = {
  'a payment with two final statuses': `
    SELECT payment_id FROM payment_events
    WHERE to_status IN ('SUCCESS', 'FAILED') AND from_status <> to_status
    GROUP BY payment_id HAVING count(*) > 1`,
  'a payment that is not as its last event': `
    SELECT payments.id FROM payments
    JOIN payment_events AS event ON payment_id = payments.id AND event.version = payments.version
    WHERE (payments.status, payments.needs_attention, payments.late_success) IS DISTINCT FROM
      (to_status, event.needs_attention, event.late_success)
      OR payments.failure IS DISTINCT FROM event.failure`,
  'a payment with a gap in its versions': `
    SELECT id FROM payments
    WHERE version <> (SELECT count(*) FROM payment_events WHERE payment_id = payments.id)
      OR version <> (SELECT max(version) FROM payment_events WHERE payment_id = payments.id)`,
  'a chain of events that does not fit': `
    SELECT * FROM (
      SELECT payment_id, from_status, lag(to_status) OVER (PARTITION BY payment_id ORDER BY version) AS before
      FROM payment_events
    ) AS events WHERE from_status IS DISTINCT FROM before`,
  'a transition that is not allowed': `
    SELECT DISTINCT from_status, to_status FROM payment_events
    WHERE (coalesce(from_status, ''), to_status) NOT IN (('', 'INITIATED'), ('INITIATED', 'PENDING'),
      ('PENDING', 'SUCCESS'), ('PENDING', 'FAILED'), ('INITIATED', 'INITIATED'), ('PENDING', 'PENDING'),
      ('FAILED', 'FAILED'), ('SUCCESS', 'SUCCESS'))`,
  'an attempt with a gap in its events': `
    SELECT id FROM payment_attempts
    WHERE version - 1 <> (SELECT count(*) FROM attempt_events WHERE attempt_id = id)`,
  'a change of an attempt that is not allowed': `
    SELECT DISTINCT from_state, to_state FROM attempt_events
    WHERE from_state <> to_state AND (from_state, to_state) NOT IN (
      ('queued', 'sending'), ('queued', 'not_sent'), ('queued', 'in_doubt'),
      ('sending', 'accepted'), ('sending', 'in_doubt'), ('sending', 'queued'), ('sending', 'succeeded'),
      ('sending', 'declined'), ('sending', 'not_sent'), ('accepted', 'succeeded'), ('accepted', 'declined'),
      ('in_doubt', 'accepted'), ('in_doubt', 'succeeded'), ('in_doubt', 'declined'))`,
  'an open attempt without work': `
    SELECT id FROM payment_attempts LEFT JOIN attempt_work ON attempt_id = id
    WHERE state IN ${OPEN} AND attempt_id IS NULL`,
  'a succeeded attempt with work': `
    SELECT id FROM payment_attempts JOIN attempt_work ON attempt_id = id WHERE state = 'succeeded'`,
  'a queued attempt that is queried without a callback, or another one to be sent': `
    SELECT id, state, call FROM payment_attempts JOIN attempt_work ON attempt_id = id
    WHERE (state = 'queued') <> (call = 'send') AND (call = 'send' OR wanted_at = '-infinity')`,
  'a payment that differs from its attempt': `
    SELECT payments.status, state FROM payments JOIN payment_attempts ON payment_id = payments.id
    WHERE (payments.status, state) NOT IN (
      ('INITIATED', 'queued'), ('PENDING', 'queued'), ('PENDING', 'sending'), ('PENDING', 'accepted'),
      ('PENDING', 'in_doubt'), ('SUCCESS', 'succeeded'), ('FAILED', 'declined'),
      ('FAILED', 'not_sent'))
      OR needs_attention <> (attention IS NOT NULL)
      OR (late_success IS NULL) <> (late_success_at IS NULL)`,
  'two successes with one transaction id': `
    SELECT account, provider_transaction_id FROM payments WHERE status = 'SUCCESS'
    GROUP BY account, provider_transaction_id HAVING count(*) > 1`,
}
