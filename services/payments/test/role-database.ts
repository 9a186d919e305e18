import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freshDatabase, query } from '@malipo/testing/database'
import { environment } from './payments.js'

const SCRIPT = join(import.meta.dirname, '../dist/migrate.js')

/** A database with a role that has the privileges which the built `migrate` command grants to the service. */
export async function databaseWithRole() {
  const role = `payments_${randomUUID().slice(0, 8)}`
  const ownerUrl = await freshDatabase('payments')
  await query(ownerUrl, `CREATE ROLE ${role} LOGIN PASSWORD 'role'`)
  const env = environment({ DATABASE_URL: ownerUrl, DB_SERVICE_ROLE: role })
  await promisify(execFile)(process.execPath, [SCRIPT], { env })
  const url = new URL(ownerUrl)
  url.username = role
  url.password = 'role'
  return {
    role,
    ownerUrl,
    serviceUrl: url.href,
    dropRole: async () => {
      await query(ownerUrl, `DROP OWNED BY ${role}`)
      await query(ownerUrl, `DROP ROLE ${role}`)
    },
  }
}
