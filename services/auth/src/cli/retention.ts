import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { DataSource } from 'typeorm'
import { deleteEventsBefore } from '../audit/retention.store.js'
import { readRetentionEnv } from '../env.js'
import { errorLines } from './error-lines.js'

const DAY_MS = 86_400_000

/**
 * Deletes old audit events. It connects with the role of the migrations, because the service's role can't
 * delete them.
 */
async function run() {
  const env = readRetentionEnv()
  const days = env.AUDIT_RETENTION_DAYS
  const source = new DataSource(dataSourceOptions(env, { entities: [], migrations: [] }))
  await source.initialize()
  try {
    const deleted = await deleteEventsBefore(source, new Date(Date.now() - days * DAY_MS))
    process.stdout.write(`deleted ${deleted} audit events older than ${days} days\n`)
  } finally {
    await source.destroy()
  }
}

run().catch((error: unknown) => {
  for (const line of errorLines(error)) process.stderr.write(`retention: ${line}\n`)
  process.exitCode = 1
})
