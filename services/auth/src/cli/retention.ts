import { runCommand } from '@malipo/kit/command'
import { withDataSource } from '@malipo/kit/postgres/with-data-source'
import { deleteEventsBefore } from '../audit/audit.store.js'
import { readRetentionEnv } from '../env.js'

const DAY_MS = 86_400_000

/** Connects with the role that runs migrations, because the service's role can't delete audit events. */
await runCommand('retention', async () => {
  const env = readRetentionEnv()
  const days = env.AUDIT_RETENTION_DAYS
  return withDataSource(env, async (source) => {
    const deleted = await deleteEventsBefore(source, new Date(Date.now() - days * DAY_MS))
    return [`deleted ${deleted} audit events older than ${days} days`]
  })
})
