/**
 * The processes of a bench: PostgreSQL and Redis as `make up` runs them, both services with their usual
 * settings, and the bare server on the same PostgreSQL.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from '@malipo/local/child'
import { freePort } from '@malipo/local/free-port'
import { startPostgres } from '@malipo/local/postgres'
import { runToEnd, startService } from '@malipo/local/process'
import { startRedis } from '@malipo/local/redis'
import { persistentSecretFile, sealKeysFolder } from '@malipo/local/secret'

const JWT_SECRET = randomBytes(32).toString('hex')
const PASSWORD = randomBytes(16).toString('hex')
/** Below the services' default of 12, so that a round of a few seconds has more than a few logins. */
const BCRYPT_COST = '10'

/**
 * @typedef {object} Services
 * @property {{ auth: string, payments: string, limit: string }} urls
 * @property {string} password the password of every account
 * @property {{ auth: number, payments: number }} pids
 * @property {Record<string, string>} environment the environment variables of payments
 * @property {(name: ServiceName, own: Record<string, string>) => Promise<Service>} startAnother starts another replica
 * @typedef {import('@malipo/local/process').ServiceName} ServiceName
 * @typedef {import('@malipo/local/process').Service} Service
 */

/**
 * Runs `work` with all processes started, and stops them afterwards, also after an error.
 *
 * @param {object} options
 * @param {string | undefined} options.nodeOptions for the process of payments
 * @param {string[]} [options.postgresFlags]
 * @param {(services: Services) => Promise<void>} work
 */
export async function withServices({ nodeOptions, postgresFlags = [] }, work) {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-bench-'))
  /** @type {(() => Promise<unknown>)[]} */
  const stops = [async () => rmSync(folder, { recursive: true, force: true })]
  try {
    const databases = ['auth', 'payments', 'limit']
    const postgres = await startPostgres({
      dataDir: join(folder, 'postgres'),
      databases,
      flags: postgresFlags,
    })
    stops.push(postgres.stop)
    const redis = await startRedis()
    if (!redis)
      throw new Error('redis-server is missing: the bench measures the token check through it')
    stops.push(redis.stop)

    const common = { MODE: 'sandbox', REDIS_URL: redis.url }
    const environments = {
      auth: { ...common, DATABASE_URL: postgres.url('auth'), JWT_SECRET, BCRYPT_COST },
      payments: {
        ...common,
        DATABASE_URL: postgres.url('payments'),
        AUTH_SERVICE_URL: '',
        TOKEN_CACHE_KEYS_FILE: persistentSecretFile(join(folder, 'token-cache-keys')),
        WEBHOOK_ENCRYPTION_KEYS_DIR: sealKeysFolder(join(folder, 'encryption')),
      },
    }
    const startAnother = async (/** @type {ServiceName} */ name, /** @type {object} */ own) => {
      const service = await start(name, { ...environments[name], ...own })
      stops.push(service.stop)
      return service
    }
    const auth = await startAnother('auth', {})
    environments.payments.AUTH_SERVICE_URL = auth.url
    const payments = await startAnother('payments', { NODE_OPTIONS: nodeOptions })
    const limit = await startLimit(postgres.url('limit'))
    stops.push(limit.stop)

    await work({
      urls: { auth: auth.url, payments: payments.url, limit: limit.url },
      password: PASSWORD,
      pids: { auth: auth.pid, payments: payments.pid },
      environment: environments.payments,
      startAnother,
    })
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

/**
 * @param {import('@malipo/local/process').ServiceName} name
 * @param {Record<string, string | undefined>} env
 */
async function start(name, env) {
  await runToEnd({ name, script: 'migrate', env: { ...env, NODE_OPTIONS: undefined } })
  return startService({ name, env })
}

/** The bare server has the tables of payments, created by its migrations. @param {string} url */
async function startLimit(url) {
  await runToEnd({ name: 'payments', script: 'migrate', env: { DATABASE_URL: url } })
  const port = await freePort()
  const { promise: ready, resolve } = Promise.withResolvers()
  const child = startChild({
    command: [process.execPath, join(import.meta.dirname, 'bare-server.mjs')],
    env: { DATABASE_URL: url, JWT_SECRET, BCRYPT_COST, PASSWORD, PORT: String(port) },
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => (line === 'ready' ? resolve(line) : console.error(`limit: ${line}`)),
  })
  const ended = child.exited.then((code) => {
    throw new Error(`the bare server exited with ${code}`)
  })
  ended.catch(() => undefined)
  await Promise.race([ready, ended])
  return { url: `http://127.0.0.1:${port}`, stop: () => child.end('SIGTERM', 5_000) }
}
