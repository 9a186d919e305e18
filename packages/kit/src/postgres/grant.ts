import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'

/** What a role may do with each table. It has no access to a table that is not listed. */
export type Privileges = Readonly<Record<string, readonly Privilege[]>>

export type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'

/** An operator creates the role and the database in any order. */
const WAIT_FOR_ROLE_MS = 60_000

/**
 * Grants `role` exactly these privileges, in one transaction, so that a running service never lacks one. The role
 * that runs the migrations owns the tables and needs none.
 *
 * @throws Error when the role does not exist in time
 */
export async function grant(
  source: DataSource,
  role: string,
  privileges: Privileges,
): Promise<void> {
  if (await isCurrentRole(source, role)) return
  await source.transaction(async (transaction) => {
    const name = source.driver.escape(role)
    await transaction.query(`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${name}`)
    await transaction.query(`GRANT USAGE ON SCHEMA public TO ${name}`)
    for (const [table, granted] of Object.entries({ ...privileges, migrations: ['SELECT'] })) {
      await transaction.query(
        `GRANT ${granted.join(', ')} ON ${source.driver.escape(table)} TO ${name}`,
      )
    }
  })
}

async function isCurrentRole(source: DataSource, role: string): Promise<boolean> {
  for (const deadline = Date.now() + WAIT_FOR_ROLE_MS; Date.now() < deadline; await sleep(500)) {
    const [row] = await source.query<{ isCurrent: boolean }[]>(
      'SELECT rolname = current_user AS "isCurrent" FROM pg_roles WHERE rolname = $1',
      [role],
    )
    if (row) return row.isCurrent
  }
  throw new Error(`Role ${role} does not exist: create it, or unset DB_SERVICE_ROLE`)
}
