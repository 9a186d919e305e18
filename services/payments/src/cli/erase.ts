import { runCommand, UsageError } from '@malipo/kit/command'
import { setDefaultRegion } from '@malipo/kit/http/contact'
import { withDataSource } from '@malipo/kit/postgres/with-data-source'
import { readErasureEnv } from '../env.js'
import { erase } from '../erasure/erase.js'
import { totalOf } from '../erasure/erasure.js'
import { parseErase } from './erase-command.js'

const UNTIL_CLOSED = 'repeat the command when their attempts are closed and no query is left'

/** Connects with the role that runs migrations: triggers reject the change by any other role. */
await runCommand('erase', async () => {
  const env = readErasureEnv()
  setDefaultRegion(env.DEFAULT_REGION)
  const { person, isApplied } = parseErase(process.argv.slice(2), env)
  return withDataSource(env, async (source) => {
    const { changes, open } = await erase(source, { person, keys: env.keys, isApplied })
    if (open > 0 && totalOf(changes) === 0) {
      throw new UsageError(`${open} payments are open at a provider: ${UNTIL_CLOSED}`)
    }
    const lines = Object.entries(changes).map(([table, count]) => `${table} ${count}`)
    const total = totalOf(changes)
    const done = isApplied
      ? `erased: ${total} rows changed`
      : `dry run: ${total} rows would change; pass --apply to change them`
    if (open === 0) return [...lines, done]
    process.exitCode = 1
    return [...lines, `${done}; ${open} payments are open at a provider: ${UNTIL_CLOSED}`]
  })
})
