import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource, EntityManager } from 'typeorm'
import { sqlStateOf } from './retry.js'

/** Transactions in which a command erases personal data. */

/** Conflicts with requests, whose statements have short limits: a deadlock, and a lock that takes too long. */
const CONFLICTS = ['40001', '40P01', '55P03']
const MAX_TRIES = 100
const RETRY_MS = 100

/**
 * Does a part of an erasure in one transaction. Triggers of append-only tables allow the replacement of personal data
 * to the owner of the tables only, and only while `malipo.erasure` is set.
 *
 * @param isApplied otherwise the transaction is rolled back
 */
export async function erasing<T>(
  source: DataSource,
  isApplied: boolean,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const runner = source.createQueryRunner()
    try {
      await runner.startTransaction('READ COMMITTED')
      await runner.query(`SET LOCAL malipo.erasure = 'on'`)
      await runner.query('SET LOCAL statement_timeout = 0')
      const result = await work(runner.manager)
      await (isApplied ? runner.commitTransaction() : runner.rollbackTransaction())
      return result
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined)
      if (tries === MAX_TRIES || !CONFLICTS.includes(sqlStateOf(error))) throw error
      await sleep(RETRY_MS)
    } finally {
      await runner.release()
    }
  }
}

/** Executes an UPDATE or DELETE without RETURNING. @returns the number of rows */
export async function changedRows(
  manager: EntityManager,
  statement: string,
  values: unknown[],
): Promise<number> {
  const [, affected] = await manager.query<[unknown, number]>(statement, values)
  return affected
}
