/**
 * The processes of a bench with a provider: PostgreSQL, Redis, auth, the simulator with accounts of MTN MoMo, and
 * replicas of payments that call it.
 *
 * @typedef {object} Account an account at the simulator
 * @property {string} name
 * @property {number} rate requests for money in any second
 * @property {number} pollRate queries in any second
 * @property {number} [maxInFlight]
 * @property {object} [simulator] more fields of the simulator's ACCOUNTS_FILE
 *
 * @typedef {object} Provider
 * @property {import('./work.mjs').Request[]} creates a request of each of four merchants that creates a payment
 * @property {string[]} payments the URLs of the replicas
 * @property {string} simulator
 * @property {string} databaseUrl of payments
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@malipo/local/free-port'
import { startPostgres } from '@malipo/local/postgres'
import { runToEnd, startService } from '@malipo/local/process'
import { startRedis } from '@malipo/local/redis'
import { persistentSecretFile } from '@malipo/local/secret'
import pg from 'pg'
import { startForwarder } from '../e2e/soak/forwarder.ts'
import { seedFinished } from './seed.mjs'
import { signUp } from './work.mjs'

const PASSWORD = randomBytes(16).toString('hex')
const MERCHANTS = 4
const CREDENTIALS = /** @type {const} */ (['subscriptionKey', 'userId', 'apiKey'])

/**
 * Runs `work` with all processes started, and stops them afterwards, also after an error.
 *
 * @param {object} options
 * @param {Account[]} options.accounts
 * @param {number} options.replicas of payments
 * @param {Record<string, string>} options.simulator its environment
 * @param {number} [options.history] finished payments of the first account
 * @param {Record<string, string>} [options.env] more environment of payments
 * @param {(provider: Provider) => Promise<void>} work
 */
export async function withProvider({ accounts, replicas, simulator, history = 0, env = {} }, work) {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-bench-'))
  /** @type {(() => Promise<unknown>)[]} */
  const stops = [async () => rmSync(folder, { recursive: true, force: true })]
  try {
    const postgres = await startPostgres({
      dataDir: join(folder, 'postgres'),
      databases: ['auth', 'payments'],
      // The time of SUCCESS is that of its commit.
      flags: ['-c', 'track_commit_timestamp=on'],
    })
    stops.push(postgres.stop)
    const redis = await startRedis()
    if (!redis) throw new Error('redis-server is missing')
    stops.push(redis.stop)
    /** @type {(name: import('@malipo/local/process').ProgramName, env: Record<string, string>) => Promise<string>} */
    const start = async (name, own) => {
      const service = await startService({ name, env: { MODE: 'sandbox', ...own } })
      stops.push(service.stop)
      return service.url
    }
    const common = { MODE: 'sandbox', REDIS_URL: redis.url }
    const authEnv = {
      ...common,
      DATABASE_URL: postgres.url('auth'),
      JWT_SECRET: randomBytes(32).toString('hex'),
      BCRYPT_COST: '4',
    }
    await runToEnd({ name: 'auth', script: 'migrate', env: authEnv })
    const auth = await start('auth', authEnv)

    const ports = await Promise.all(Array.from({ length: replicas }, freePort))
    const forwarder = replicas === 1 ? undefined : await startForwarder(ports)
    if (forwarder) stops.push(() => forwarder.close())
    const simulatorPort = await freePort()
    const files = writeAccounts(folder, accounts, {
      simulator: `http://127.0.0.1:${simulatorPort}`,
      callbacks: `localhost:${forwarder?.port ?? ports[0]}`,
    })
    const simulatorUrl = await start('simulator', {
      PORT: String(simulatorPort),
      ACCOUNTS_FILE: files.simulator,
      BOOK_FILE: join(folder, 'book.jsonl'),
      BOOK_MAX_CHARGES: '100000',
      ...simulator,
    })
    const paymentsEnv = {
      ...common,
      DATABASE_URL: postgres.url('payments'),
      AUTH_SERVICE_URL: auth,
      TOKEN_CACHE_KEYS_FILE: persistentSecretFile(join(folder, 'token-cache-keys')),
      CALLBACK_KEYS_FILE: persistentSecretFile(join(folder, 'callback-keys')),
      PROVIDERS_FILE: files.payments,
      ...env,
    }
    await runToEnd({ name: 'payments', script: 'migrate', env: paymentsEnv })
    const [first] = accounts
    if (history && first) await withHistory(postgres.url('payments'), first.name, history)
    const payments = await Promise.all(
      ports.map((port) => start('payments', { ...paymentsEnv, PORT: String(port) })),
    )
    const creates = []
    for (let i = 0; i < MERCHANTS; i++) {
      creates.push((await signUp(auth, `+25677200000${i}`, PASSWORD)).create)
    }
    const databaseUrl = postgres.url('payments')
    await work({ creates, payments, simulator: simulatorUrl, databaseUrl })
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

/**
 * Inserts finished payments, which the totals leave out: counting them would load the service.
 *
 * @param {string} connectionString
 * @param {string} account
 * @param {number} payments
 */
async function withHistory(connectionString, account, payments) {
  const client = new pg.Client({ connectionString })
  await client.connect()
  await seedFinished(client, account, payments)
  await client.query(
    'UPDATE payment_totals_position SET folded_through = (SELECT max(xid) FROM payment_events)',
  )
  await client.end()
}

/**
 * Writes PROVIDERS_FILE and the simulator's ACCOUNTS_FILE.
 *
 * @param {string} folder
 * @param {Account[]} accounts
 * @param {{ simulator: string, callbacks: string }} addresses a URL, and a host with a port
 */
function writeAccounts(folder, accounts, { simulator, callbacks }) {
  mkdirSync(join(folder, 'credentials'), { mode: 0o700 })
  const write = (/** @type {string} */ name, /** @type {unknown} */ content) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    return join(folder, name)
  }
  const all = accounts.map((account) => ({
    ...account,
    secrets: { subscriptionKey: randomUUID(), userId: randomUUID(), apiKey: randomUUID() },
  }))
  const forPayments = all.map(({ name, secrets, rate, pollRate, maxInFlight }) => ({
    name,
    adapter: 'mtn-momo',
    mode: 'sandbox',
    baseUrl: simulator,
    callbackOrigin: `http://${callbacks}`,
    country: 'UG',
    currency: 'UGX',
    merchants: ['*'],
    limits: { min: 500, max: 5_000_000, rate, pollRate, ...(maxInFlight && { maxInFlight }) },
    settings: { targetEnvironment: 'mtnuganda' },
    credentials: Object.fromEntries(
      CREDENTIALS.map((each) => [
        `${each}File`,
        write(join('credentials', `${name}-${each}`), secrets[each]),
      ]),
    ),
  }))
  const forSimulator = all.map(({ secrets, pollRate, simulator: own }) => ({
    ...secrets,
    targetEnvironment: 'mtnuganda',
    callbackHost: callbacks,
    queriesPerSecond: pollRate,
    ...own,
  }))
  return {
    payments: write('providers.yaml', { accounts: forPayments }),
    simulator: write('accounts.json', { mtnMomo: forSimulator }),
  }
}
