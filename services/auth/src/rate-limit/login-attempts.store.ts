import type { Run, Statement } from '@malipo/kit/postgres/database'

/*
 * Counts an attempt unless the limit is reached; the row lock decides between concurrent attempts. A retry
 * after a lost response, or a late execution, may count an attempt twice, which only makes the limit stricter.
 * The clock is read after the lock has been acquired, so that a later attempt never has an earlier time.
 */
const CONSUME: Statement = {
  name: 'login_attempt_consume',
  text: `
    INSERT INTO login_attempts AS counted (subject, expires_at)
    VALUES ($1, clock_timestamp() + make_interval(secs => $2))
    ON CONFLICT ON CONSTRAINT login_attempts_pkey DO UPDATE
    SET expires_at = greatest(counted.expires_at, clock_timestamp()) + make_interval(secs => $2)
    WHERE counted.expires_at <= clock_timestamp() + make_interval(secs => $2 * ($3 - 1))
    RETURNING extract(epoch FROM expires_at - clock_timestamp()) AS seconds`,
}

interface Consumption {
  readonly subject: Buffer
  readonly intervalSeconds: number
  readonly burst: number
}

/** @returns the seconds until all counted attempts expire; undefined if the limit is reached */
export async function consumeAttempt(
  run: Run,
  { subject, intervalSeconds, burst }: Consumption,
): Promise<number | undefined> {
  const [row] = await run<{ seconds: string }>(CONSUME, [subject, intervalSeconds, burst])
  return row && Number(row.seconds)
}

/* Executed late, it still returns only what this request took. */
const REFUND: Statement = {
  name: 'login_attempt_refund',
  text: `
    UPDATE login_attempts
    SET expires_at = expires_at - make_interval(secs => $2)
    WHERE subject = ANY ($1::bytea[])`,
}

export async function refundAttempts(
  run: Run,
  subjects: readonly Buffer[],
  intervalSeconds: number,
): Promise<void> {
  await run(REFUND, [subjects, intervalSeconds])
}

const READ: Statement = {
  name: 'login_attempts_by_subject',
  text: `
    SELECT encode(subject, 'hex') AS subject,
           extract(epoch FROM expires_at - clock_timestamp()) AS seconds
    FROM login_attempts
    WHERE subject = ANY ($1::bytea[])`,
}

/** Seconds until all counted attempts of each subject expire, in the order of `subjects`. */
export async function readAttempts(run: Run, subjects: readonly Buffer[]): Promise<number[]> {
  const rows = await run<{ subject: string; seconds: string }>(READ, [subjects])
  const secondsOf = new Map(rows.map(({ subject, seconds }) => [subject, Number(seconds)]))
  return subjects.map((subject) => secondsOf.get(subject.toString('hex')) ?? 0)
}

const DELETE_EXPIRED: Statement = {
  name: 'login_attempts_delete_expired',
  text: `
    WITH expired AS (
      SELECT subject
      FROM login_attempts
      WHERE expires_at < now()
      LIMIT $1
      FOR UPDATE SKIP LOCKED
    )
    DELETE FROM login_attempts
    USING expired
    WHERE login_attempts.subject = expired.subject
    RETURNING 1`,
}

/** @returns the number of rows that it deleted, at most `limit` */
export async function deleteExpiredAttempts(run: Run, limit: number): Promise<number> {
  return (await run(DELETE_EXPIRED, [limit])).length
}
