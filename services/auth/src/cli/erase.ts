import { runCommand, UsageError } from '@malipo/kit/command'
import { setDefaultRegion } from '@malipo/kit/http/contact'
import { withDataSource } from '@malipo/kit/postgres/with-data-source'
import { readErasureEnv } from '../env.js'
import { erase } from '../users/erase.js'
import { parseErase } from './erase-command.js'

/** Connects with the role that runs migrations: a trigger rejects the change of audit events by any other role. */
await runCommand('erase', async () => {
  const env = readErasureEnv()
  setDefaultRegion(env.DEFAULT_REGION)
  const { person, isApplied } = parseErase(process.argv.slice(2), env)
  return withDataSource(env, async (source) => {
    const { accounts, changes } = await erase(source, { person, keys: env.keys, isApplied })
    if (accounts.length === 0) throw new UsageError('no account has this id or phone')
    const lines = Object.entries(changes).map(([table, count]) => `${table} ${count}`)
    const total = Object.values(changes).reduce((sum, count) => sum + count, 0)
    const names = accounts.join(', ')
    const summary = isApplied
      ? `erased account ${names}: ${total} rows changed`
      : `dry run: ${total} rows of account ${names} would change; pass --apply to change them`
    return [...lines, summary]
  })
})
