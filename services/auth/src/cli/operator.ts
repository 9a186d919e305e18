import { setDefaultRegion } from '@malipo/kit/http/contact'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { Database } from '@malipo/kit/postgres/database'
import { createLogger } from '@malipo/kit/telemetry/logger'
import { DataSource } from 'typeorm'
import { dataSource } from '../data-source.js'
import { readOperatorEnv } from '../env.js'
import { askPassword } from './ask-password.js'
import { createOperator } from './create-operator.js'
import { errorLines } from './error-lines.js'
import { parseCommand } from './operator-command.js'

/** Creates an operator. It runs where the service runs, with its environment. */
async function run() {
  const env = readOperatorEnv()
  setDefaultRegion(env.DEFAULT_REGION)
  const command = parseCommand(process.argv.slice(2), env.MODE)
  const log = createLogger('auth', 'warn')
  const database = new Database(new DataSource(dataSourceOptions(env, dataSource)), env, log)
  database.onApplicationBootstrap()
  try {
    const password = async () => env.OPERATOR_PASSWORD ?? (await askPassword())
    process.stdout.write(`${await createOperator({ database, env, password }, command)}\n`)
  } finally {
    await database.onApplicationShutdown()
  }
}

run().catch((error: unknown) => {
  for (const line of errorLines(error)) process.stderr.write(`operator: ${line}\n`)
  process.exitCode = 1
})
