import { runCommand } from '@malipo/kit/command'
import { withDataSource } from '@malipo/kit/postgres/with-data-source'
import { putInDoubt, recordRecovery } from '../attempts/recovery.store.js'
import { readVerificationEnv } from '../env.js'
import { parseRecover } from './recover-command.js'

/** The command uses the service's environment, for example in its pod. It may be repeated. */
await runCommand('recover', async () => {
  const { since, id } = parseRecover(process.argv.slice(2), new Date())
  const env = readVerificationEnv()
  return withDataSource(env, async (source) => {
    const count = await source.transaction(async (manager) => {
      await manager.query('SET LOCAL statement_timeout = 0')
      const attempts = await putInDoubt(manager, since)
      if (id !== undefined) await recordRecovery(manager, id, since, attempts)
      return attempts
    })
    const recorded =
      id === undefined ? [] : [`recovery ${id} is recorded: payments calls providers`]
    return [`${count} attempts are in doubt and will be queried`, ...recorded]
  })
})
