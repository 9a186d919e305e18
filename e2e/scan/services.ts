import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { startPostgres } from '@malipo/local/postgres'
import { runToEnd, startService } from '@malipo/local/process'
import { startRedis } from '@malipo/local/redis'
import { sealKeysFolder } from '@malipo/local/secret'
import { FOLDER } from './tools.ts'

/** Both services on free ports with the settings of `make up`, and an operator. */
export interface Services {
  readonly auth: string
  readonly payments: string
  readonly operator: { readonly phone: string; readonly password: string }
}

/** The lowest cost that auth accepts, because schemathesis logs in after each logout. */
const BCRYPT_COST = '10'

export async function withServices(work: (services: Services) => Promise<void>): Promise<void> {
  const stops: (() => Promise<unknown>)[] = []
  try {
    const databases = ['auth', 'payments']
    const dataDir = `${FOLDER}/postgres`
    await rm(dataDir, { recursive: true, force: true })
    const postgres = await startPostgres({ dataDir, databases })
    stops.push(postgres.stop)
    const redis = await startRedis()
    if (redis) stops.push(redis.stop)
    const common = { MODE: 'sandbox', REDIS_URL: redis?.url }

    const authEnv = {
      ...common,
      DATABASE_URL: postgres.url('auth'),
      JWT_SECRET: randomBytes(32).toString('hex'),
      BCRYPT_COST,
    }
    await runToEnd({ name: 'auth', script: 'migrate', env: authEnv })
    const auth = await startService({ name: 'auth', env: authEnv })
    stops.push(auth.stop)

    const env = {
      ...common,
      DATABASE_URL: postgres.url('payments'),
      AUTH_SERVICE_URL: auth.url,
      WEBHOOK_ENCRYPTION_KEYS_DIR: sealKeysFolder(`${FOLDER}/encryption`),
    }
    await runToEnd({ name: 'payments', script: 'migrate', env })
    const payments = await startService({ name: 'payments', env })
    stops.push(payments.stop)

    const operator = await createOperator(authEnv)
    await work({ auth: auth.url, payments: payments.url, operator })
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

async function createOperator(authEnv: Readonly<Record<string, string | undefined>>) {
  const phone = '+256772000001'
  const password = randomBytes(16).toString('hex')
  const env = { ...authEnv, OPERATOR_PASSWORD: password }
  const args = ['--phone', phone, '--email', 'operator@example.com']
  await runToEnd({ name: 'auth', script: 'cli/operator', args, env })
  return { phone, password }
}
