import { ConfigurationError } from '@malipo/kit/config/env'
import { anyAddress } from '@malipo/kit/http/any-address'
import { createLogger } from '@malipo/kit/telemetry/logger'
import type { FastifyInstance } from 'fastify'
import { readAccounts } from './accounts.js'
import { type Env, readEnv } from './env.js'
import { createSimulator } from './simulator.js'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
/** A slow response takes 12 s before scaling. */
const SHUTDOWN_LIMIT_MS = 20_000

const { env, accounts } = settingsOrExit()
const log = createLogger('simulator', env.LOG_LEVEL)
try {
  const server = createSimulator(env, accounts, log)
  for (const signal of SIGNALS) process.once(signal, () => void shutDown(server))
  await server.listen({ port: env.PORT, host: await anyAddress() })
} catch (error) {
  log.fatal({ err: error }, 'cannot start')
  process.exit(1)
}

async function shutDown(server: FastifyInstance) {
  setTimeout(() => process.exit(1), SHUTDOWN_LIMIT_MS).unref()
  await server.close()
  process.exit(0)
}

function settingsOrExit() {
  try {
    const env: Env = readEnv()
    return { env, accounts: readAccounts(env.ACCOUNTS_FILE) }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    for (const line of error.lines) process.stderr.write(`configuration: ${line}\n`)
    process.exit(1)
  }
}
