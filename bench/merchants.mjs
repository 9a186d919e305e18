/**
 * The processes of a bench with notifications: PostgreSQL, Redis, auth, one process of payments, and servers of
 * merchants.
 *
 * @typedef {object} Merchant
 * @property {string} ownerId
 * @property {string[]} endpoints ids
 * @property {import('./work.mjs').Request} create
 *
 * @typedef {object} Stage
 * @property {(urls: string[]) => Promise<Merchant>} addMerchant registers a merchant, with an endpoint for each URL
 * @property {string} payments the URL
 * @property {pg.Client} database of payments
 * @property {import('./receivers.mjs').Ports} ports of the servers of merchants
 * @property {() => Promise<Map<string, number>>} answered when notifications were answered since the last call, by event and path
 * @property {(roles: string) => Promise<void>} startReplica starts a second process of payments, with ROLES
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@malipo/local/postgres'
import { runToEnd, startService } from '@malipo/local/process'
import { startRedis } from '@malipo/local/redis'
import { persistentSecretFile, sealKeysFolder } from '@malipo/local/secret'
import pg from 'pg'
import { send, signUp } from './work.mjs'

const PASSWORD = randomBytes(16).toString('hex')

/**
 * Runs `work` with all processes started, and stops them afterwards, also after an error.
 *
 * @param {(stage: Stage) => Promise<void>} work
 * @param {Record<string, string>} [env] more environment of payments
 */
export async function withMerchants(work, env = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-bench-'))
  /** @type {(() => unknown)[]} */
  const stops = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    const { auth, payments, databaseUrl, startReplica } = await startServices(folder, stops, env)
    const receivers = fork(join(import.meta.dirname, 'receivers.mjs'))
    stops.push(() => receivers.kill())
    const ask = async (/** @type {string} */ question) => {
      receivers.send(question)
      const [answer] = await once(receivers, 'message')
      return answer
    }
    const database = new pg.Client({ connectionString: databaseUrl })
    await database.connect()
    stops.push(() => database.end())
    let nth = 0
    const addMerchant = async (/** @type {string[]} */ urls) => {
      const phone = `+2567720000${String(nth++).padStart(2, '0')}`
      const { create } = await signUp(auth, phone, PASSWORD)
      return withEndpoints({ payments, create, urls, database })
    }
    const answered = async () => new Map(await ask('answered'))
    const ports = await ask('ports')
    await work({ addMerchant, payments, database, ports, answered, startReplica })
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

/**
 * @param {string} folder
 * @param {(() => unknown)[]} stops gets what stops each process
 * @param {Record<string, string>} env
 */
async function startServices(folder, stops, env) {
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    databases: ['auth', 'payments'],
    // The latency is measured from the commit of a change.
    flags: ['-c', 'track_commit_timestamp=on', '-c', 'max_wal_size=4GB'],
  })
  stops.push(postgres.stop)
  const redis = await startRedis()
  if (!redis) throw new Error('redis-server is missing')
  stops.push(redis.stop)
  const start = async (
    /** @type {'auth' | 'payments'} */ name,
    /** @type {Record<string, string>} */ own,
  ) => {
    const service = await startService({ name, env: own })
    stops.push(service.stop)
    return service.url
  }
  const common = { MODE: 'sandbox', REDIS_URL: redis.url }
  const authEnv = {
    ...common,
    DATABASE_URL: postgres.url('auth'),
    JWT_SECRET: randomBytes(32).toString('hex'),
    BCRYPT_COST: '4',
    JWT_EXPIRES_IN: '10800',
  }
  await runToEnd({ name: 'auth', script: 'migrate', env: authEnv })
  const auth = await start('auth', authEnv)
  const databaseUrl = postgres.url('payments')
  const paymentsEnv = {
    ...common,
    DATABASE_URL: databaseUrl,
    AUTH_SERVICE_URL: auth,
    TOKEN_CACHE_KEYS_FILE: persistentSecretFile(join(folder, 'token-cache-keys')),
    WEBHOOK_ENCRYPTION_KEYS_DIR: sealKeysFolder(join(folder, 'encryption')),
    WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
  }
  await runToEnd({ name: 'payments', script: 'migrate', env: paymentsEnv })
  const payments = await start('payments', { ...paymentsEnv, ...env })
  const startReplica = async (/** @type {string} */ roles) => {
    await start('payments', { ...paymentsEnv, ROLES: roles })
  }
  return { auth, payments, databaseUrl, startReplica }
}

/** @param {{ payments: string, create: import('./work.mjs').Request, urls: string[], database: pg.Client }} merchant */
async function withEndpoints({ payments, create, urls, database }) {
  const endpoints = []
  for (const url of urls) {
    const body = JSON.stringify({ url, events: ['payment.*'] })
    const { id } = await send(payments, { ...create, path: '/api/webhook-endpoints', body })
    endpoints.push(id)
  }
  const owner = 'SELECT owner_id FROM webhook_endpoints WHERE id = $1'
  const { rows } = await database.query(owner, [endpoints[0]])
  return { ownerId: rows[0].owner_id, endpoints, create }
}
