import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'

/** What a role may do with each table; a table that is not named here is out of its reach. */
export type Rights = Readonly<Record<string, readonly Right[]>>

export type Right = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'

/** An operator makes the role beside the database, so it may be there a little later. */
const WAIT_FOR_ROLE_MS = 60_000

/**
 * Gives `role` exactly these rights, in one transaction, so that a running service never lacks them. The
 * role of the migrations itself has all rights already and is left alone.
 *
 * @throws Error when the role does not come to be
 */
export async function grant(source: DataSource, role: string, rights: Rights): Promise<void> {
  if (!(await isAnother(source, role))) return
  await source.transaction(async (transaction) => {
    const name = source.driver.escape(role)
    await transaction.query(`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${name}`)
    await transaction.query(`GRANT USAGE ON SCHEMA public TO ${name}`)
    for (const [table, some] of Object.entries({ ...rights, migrations: ['SELECT'] })) {
      await transaction.query(
        `GRANT ${some.join(', ')} ON ${source.driver.escape(table)} TO ${name}`,
      )
    }
  })
}

async function isAnother(source: DataSource, role: string): Promise<boolean> {
  for (const deadline = Date.now() + WAIT_FOR_ROLE_MS; Date.now() < deadline; await sleep(500)) {
    const [found] = await source.query<{ own: boolean }[]>(
      'SELECT rolname = current_user AS own FROM pg_roles WHERE rolname = $1',
      [role],
    )
    if (found) return !found.own
  }
  throw new Error(`the role ${role} is not there`)
}
