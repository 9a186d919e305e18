import { runToEnd } from '@malipo/local/process'
import { freshDatabase, query } from '@malipo/testing/database'
import { Client } from 'pg'
import { expect, inject, it, onTestFinished } from 'vitest'
import { untilBlocked } from './locks.js'
import { until } from '@malipo/testing/until'

/** The built `migrate` command, when it has to wait. */

const newRole = () => `payments_${crypto.randomUUID().slice(0, 8)}`
const onServer = (text: string) => query(inject('postgresUrl'), text)

function start(env: Record<string, string>) {
  const lines: string[] = []
  const onLine = (line: string) => lines.push(line)
  const ended = runToEnd({ name: 'payments', script: 'migrate', env, onLine })
  ended.catch(() => undefined)
  return { lines, ended }
}

it('names a missing role and a wrong password at once, and continues after their repair', async () => {
  const url = new URL(await freshDatabase('payments'))
  const role = newRole()
  const database = url.pathname.slice(1)
  url.username = role
  url.password = 'role'
  const { lines, ended } = start({ DATABASE_URL: url.href })
  const named = (pattern: RegExp) => until(() => lines.some((line) => pattern.test(line)))
  await named(/"level":"warn".*password authentication failed/)
  await onServer(`CREATE ROLE ${role} LOGIN PASSWORD 'role' CONNECTION LIMIT 0`)
  await named(/"level":"warn".*"53300"/)
  await onServer(`ALTER ROLE ${role} CONNECTION LIMIT -1`)
  await onServer(`ALTER DATABASE ${database} OWNER TO ${role}`)
  expect(await ended).toContain('the database is up to date')
  expect(lines.filter((line) => line.includes('waiting for the database'))).toHaveLength(2)
})

it('names the missing role of the service at once', async () => {
  const role = newRole()
  const url = await freshDatabase('payments')
  const { lines, ended } = start({ DATABASE_URL: url, DB_SERVICE_ROLE: role })
  await until(() => lines.some((line) => line.includes(`Role ${role} does not exist`)))
  await onServer(`CREATE ROLE ${role}`)
  expect(await ended).toContain('the database is up to date')
  await query(url, `DROP OWNED BY ${role}`)
  await onServer(`DROP ROLE ${role}`)
})

it('grants exactly the privileges of its tables, and leaves those of a later release', async () => {
  const role = newRole()
  const url = await freshDatabase('payments')
  await onServer(`CREATE ROLE ${role}`)
  const env = { DATABASE_URL: url, DB_SERVICE_ROLE: role }
  await start(env).ended
  await query(url, 'CREATE TABLE of_a_later_release (id integer)')
  await query(url, `GRANT SELECT, INSERT ON of_a_later_release TO ${role}`)
  await query(url, `GRANT DELETE ON payments TO ${role}`)
  await start(env).ended
  const holds = async (table: string, privilege: string) => {
    const text = `SELECT has_table_privilege('${role}', '${table}', '${privilege}') AS holds`
    return (await query(url, text))[0]
  }
  expect(await holds('of_a_later_release', 'INSERT')).toEqual({ holds: true })
  expect(await holds('payments', 'INSERT')).toEqual({ holds: true })
  expect(await holds('payments', 'DELETE')).toEqual({ holds: false })
  await query(url, `DROP OWNED BY ${role}`)
  await onServer(`DROP ROLE ${role}`)
})

it('tries again when another session has changed the same row of the catalog', async () => {
  const role = newRole()
  const url = await freshDatabase('payments')
  await onServer(`CREATE ROLE ${role}`)
  const env = { DATABASE_URL: url, DB_SERVICE_ROLE: role }
  await start(env).ended
  const other = new Client({ connectionString: url })
  await other.connect()
  onTestFinished(() => other.end())
  await other.query('BEGIN')
  await other.query(`REVOKE ALL ON payments FROM ${role}`)
  const { lines, ended } = start(env)
  await untilBlocked({ sql: (text, ...values) => query(url, text, values) }, 1)
  await other.query('COMMIT')
  expect(await ended).toContain('the database is up to date')
  expect(lines.filter((line) => line.includes('"code":"XX000"'))).toHaveLength(1)
  const granted = `SELECT has_table_privilege('${role}', 'payments', 'INSERT') AS "isGranted"`
  expect(await query(url, granted)).toEqual([{ isGranted: true }])
  await query(url, `DROP OWNED BY ${role}`)
  await onServer(`DROP ROLE ${role}`)
})
