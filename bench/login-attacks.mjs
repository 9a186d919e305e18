/**
 * Measures how long the login of an account's owner takes while others guess passwords: one guess a second
 * for this account from 1,000 addresses, and guesses from the owner's own address for 1,000 accounts, once a
 * second or as fast as possible. The owner has a device token, or an active session in the network.
 *
 *   npm run build && node bench/login-attacks.mjs [rounds]
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@malipo/local/postgres'
import { runToEnd, startService } from '@malipo/local/process'
import { startRedis } from '@malipo/local/redis'

const ROUNDS = Number(process.argv[2] ?? 4)
const LOGINS = 30
const PAUSE_MS = 100
const HOME = '203.0.113.7'
const FLOOD_CONNECTIONS = 8
const PASSWORD = 'an uncommon password of the bench'

/** @param {number} i */
const attackerAddress = (i) => `198.18.${Math.floor(i / 250) % 4}.${(i % 250) + 1}`
/** @param {number} i */
const phoneOf = (i) => `+256${773_000_000 + i}`

/**
 * @typedef {object} Owner
 * @property {string} phone
 * @property {string} address
 * @property {string | undefined} [deviceToken]
 *
 * @typedef {object} Attack
 * @property {number} connections
 * @property {number} pauseMs
 * @property {(i: number) => { phone: string, address: string }} guess
 */

/** @type {Record<string, Attack>} */
const ATTACKS = {
  'one account from 1,000 addresses, 1/s': {
    connections: 1,
    pauseMs: 1_000,
    guess: (i) => ({ phone: phoneOf(0), address: attackerAddress(i % 1_000) }),
  },
  '1,000 accounts from one address, 1/s': {
    connections: 1,
    pauseMs: 1_000,
    guess: (i) => ({ phone: phoneOf(i % 1_000), address: HOME }),
  },
  [`1,000 accounts from one address, ${FLOOD_CONNECTIONS} connections`]: {
    connections: FLOOD_CONNECTIONS,
    pauseMs: 0,
    guess: (i) => ({ phone: phoneOf(i % 1_000), address: HOME }),
  },
}

let guesses = 0

await withAuth(async (url) => {
  const email = 'owner@example.com'
  const account = { phone: phoneOf(0), email, password: PASSWORD }
  await post(url, '/api/auth/register', account, HOME)
  const { body } = await login(url, { phone: phoneOf(0), address: HOME }, PASSWORD)
  const owners = {
    'device token': { phone: phoneOf(0), address: HOME, deviceToken: body.device_token },
    'session in the network': { phone: phoneOf(0), address: HOME },
  }
  /** @type {Map<string, number[]>} */
  const times = new Map()
  /** @type {Map<string, Map<number, number>>} */
  const answers = new Map()
  for (let round = 0; round < ROUNDS; round++) {
    for (const [ownerName, owner] of Object.entries(owners)) {
      add(times, `quiet, ${ownerName}`, await measure(url, owner))
      for (const [name, attack] of Object.entries(ATTACKS)) {
        const stop = start(url, attack, (status) => count(answers, name, status))
        await sleep(1_000)
        add(times, `${name}, ${ownerName}`, await measure(url, owner))
        await stop()
      }
    }
  }
  report(times, Object.keys(owners))
  for (const [name, statuses] of answers) {
    console.log(`guesses, ${name}:`, Object.fromEntries(statuses))
  }
})

/** @param {Map<string, number[]>} times @param {string[]} owners */
function report(times, owners) {
  for (const owner of owners) {
    const quiet = summary(times.get(`quiet, ${owner}`) ?? [])
    for (const name of ['quiet', ...Object.keys(ATTACKS)]) {
      const { p50, p99 } = summary(times.get(`${name}, ${owner}`) ?? [])
      const ratios = `p50 × ${(p50 / quiet.p50).toFixed(2)}, p99 × ${(p99 / quiet.p99).toFixed(2)}`
      console.log(
        `${owner} | ${name}: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms; ${ratios}`,
      )
    }
  }
}

/** Times of the owner's logins, one after the other. @param {string} url @param {Owner} owner */
async function measure(url, owner) {
  const times = []
  for (let i = 0; i < LOGINS; i++) {
    const begun = performance.now()
    const { status } = await login(url, owner, PASSWORD)
    if (status !== 200) throw new Error(`the owner's login was answered with ${status}`)
    times.push(performance.now() - begun)
    await sleep(PAUSE_MS)
  }
  return times
}

/** @param {string} url @param {Attack} attack @param {(status: number) => void} onAnswer */
function start(url, { connections, pauseMs, guess }, onAnswer) {
  const state = { over: false }
  const connection = async () => {
    while (!state.over) {
      const i = guesses++
      const { status } = await login(url, guess(i), `guess ${i}`)
      onAnswer(status)
      // Without a pause, rejections would measure how many requests per second the machine can send.
      await sleep(pauseMs || (status === 429 ? 10 : 0))
    }
  }
  const running = Promise.all(Array.from({ length: connections }, connection))
  return async () => {
    state.over = true
    await running
  }
}

/** @param {string} url @param {Owner} owner @param {string} password */
function login(url, { phone, address, deviceToken }, password) {
  const body = { phone, password, ...(deviceToken && { device_token: deviceToken }) }
  return post(url, '/api/auth/login', body, address)
}

/** @param {string} url @param {string} path @param {object} body @param {string} address */
async function post(url, path, body, address) {
  const headers = { 'content-type': 'application/json', 'x-forwarded-for': address }
  const options = { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await fetch(url + path, options)
  return { status: response.status, body: await response.json() }
}

/** @param {Map<string, number[]>} map @param {string} key @param {number[]} values */
function add(map, key, values) {
  map.set(key, [...(map.get(key) ?? []), ...values])
}

/** @param {Map<string, Map<number, number>>} map @param {string} name @param {number} status */
function count(map, name, status) {
  const counts = map.get(name) ?? new Map()
  map.set(name, counts.set(status, (counts.get(status) ?? 0) + 1))
}

/** @param {number[]} times */
function summary(times) {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (/** @type {number} */ share) => sorted[Math.ceil(sorted.length * share) - 1] ?? NaN
  return { p50: at(0.5), p99: at(0.99) }
}

/** @param {(url: string) => Promise<void>} work */
async function withAuth(work) {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-attacks-'))
  /** @type {(() => Promise<unknown>)[]} */
  const stops = [async () => rmSync(folder, { recursive: true, force: true })]
  try {
    const dataDir = join(folder, 'postgres')
    const postgres = await startPostgres({ dataDir, databases: ['auth'] })
    stops.push(postgres.stop)
    const redis = await startRedis()
    if (!redis) throw new Error('redis-server is missing')
    stops.push(redis.stop)
    const env = {
      MODE: 'sandbox',
      // The default of `live`.
      REFUSALS_PER_MINUTE: '60',
      DATABASE_URL: postgres.url('auth'),
      REDIS_URL: redis.url,
      JWT_SECRET: randomBytes(32).toString('hex'),
      TRUSTED_PROXIES: '127.0.0.1',
      LOG_LEVEL: 'warn',
    }
    await runToEnd({ name: 'auth', script: 'migrate', env })
    const auth = await startService({ name: 'auth', env })
    stops.push(auth.stop)
    await work(auth.url)
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}
