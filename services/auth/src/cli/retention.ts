import { runCommand } from '@malipo/kit/command'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { DataSource } from 'typeorm'
import { deleteEventsBefore } from '../audit/audit.store.js'
import { readRetentionEnv } from '../env.js'

const DAY_MS = 86_400_000

/** Connects with the role that runs migrations, because the service's role can't delete audit events. */
await runCommand('retention', async () => {
  const env = readRetentionEnv()
  const days = env.AUDIT_RETENTION_DAYS
  const source = new DataSource(dataSourceOptions(env, { entities: [], migrations: [] }))
  await source.initialize()
  try {
    const deleted = await deleteEventsBefore(source, new Date(Date.now() - days * DAY_MS))
    return [`deleted ${deleted} audit events older than ${days} days`]
  } finally {
    await source.destroy()
  }
})
