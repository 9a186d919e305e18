import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import type { EntityManager } from 'typeorm'
import { CONCLUDE } from './conclude.statement.js'
import { conclusionInput } from './conclude.store.js'

/** What follows from a restore of the database to an earlier time. */

const BATCH_SIZE = 200

const FIND = `
SELECT id, account
FROM payment_attempts
WHERE id IN (
  SELECT attempt_id
  FROM attempt_work
  JOIN payment_attempts AS attempt ON attempt.id = attempt_id
  WHERE attempt.state IN ('queued', 'sending') AND attempt.created_at <= $1
)
ORDER BY id
LIMIT ${BATCH_SIZE}`

/**
 * Puts the attempts in doubt that may have been sent after the time to which the database was restored. Their queries
 * are due at once.
 *
 * @returns the number of attempts
 */
export async function putInDoubt(manager: EntityManager, since: Date): Promise<number> {
  let count = 0
  for (;;) {
    const found = await manager.query<{ id: string; account: string }[]>(FIND, [since])
    if (found.length === 0) return count
    const inputs = found.map(({ id, account }, nth) => ({
      nth,
      ...conclusionInput(account, {
        attemptId: id,
        operationId: newUuid(),
        cause: 'recovery',
        actor: 'recover',
        to: 'in_doubt',
        reason: `restored to ${since.toISOString()}`,
      }),
    }))
    await manager.query(CONCLUDE.text, [JSON.stringify(inputs)])
    const ids = found.map(({ id }) => id)
    await manager.query(RELEASE, [ids])
    count += found.length
  }
}

/** A lease of before the restore is of no replica. */
const RELEASE = `
UPDATE attempt_work
SET call = 'query', lease_id = NULL, due_at = now()
WHERE attempt_id = ANY ($1::uuid[])`

const RECORD = `
INSERT INTO recoveries (id, since, attempts, at)
VALUES ($1, $2, $3, now())
ON CONFLICT (id) DO NOTHING`

/** Lets the replicas that wait for this id call providers. */
export async function recordRecovery(
  manager: EntityManager,
  id: string,
  since: Date,
  attempts: number,
): Promise<void> {
  await manager.query(RECORD, [id, since, attempts])
}
