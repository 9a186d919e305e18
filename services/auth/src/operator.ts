import { setDefaultRegion } from '@malipo/kit/http/contact'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { Database } from '@malipo/kit/postgres/database'
import { createLogger } from '@malipo/kit/telemetry/logger'
import { DataSource } from 'typeorm'
import { dataSource } from './data-source.js'
import { readOperatorEnv } from './env.js'
import { askPassword } from './operators/ask-password.js'
import { failureLines } from './operators/failure.js'
import { makeOperator } from './operators/operators.js'
import { parseOrder } from './operators/order.js'

/** Makes an operator, from where the service runs and with its environment: see `order.ts`. */
async function run() {
  const env = readOperatorEnv()
  setDefaultRegion(env.DEFAULT_REGION)
  const order = parseOrder(process.argv.slice(2), env.MODE)
  const log = createLogger('auth', 'warn')
  const database = new Database(new DataSource(dataSourceOptions(env, dataSource)), env, log)
  database.onApplicationBootstrap()
  try {
    const password = async () => env.OPERATOR_PASSWORD ?? (await askPassword())
    process.stdout.write(`${await makeOperator({ database, env, password }, order)}\n`)
  } finally {
    await database.onApplicationShutdown()
  }
}

run().catch((error: unknown) => {
  for (const line of failureLines(error)) process.stderr.write(`operator: ${line}\n`)
  process.exitCode = 1
})
