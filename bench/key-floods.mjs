/**
 * Floods of distinct API keys with a right checksum that auth never issued, all from one network: what of it reaches
 * Redis, auth and the database, and what it costs other callers. Quiet and flooded halves by turns.
 *
 * @typedef {import('node:child_process').ChildProcess} ChildProcess
 * @typedef {import('./environment.mjs').Services} Services
 * @typedef {import('./load.mjs').Request} Request
 * @typedef {import('./open-loop.mjs').OpenResult} OpenResult
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { newApiKey } from '@malipo/kit/http/api-key'
import { Redis } from 'ioredis'
import pg from 'pg'
import { quantile } from './probe.mjs'
import { median } from './table.mjs'
import { metric, newKey, signUp, toRead } from './work.mjs'

const ROUNDS = Number(process.env.ROUNDS || 8)
/** Less than the 10 s in which a network has its 100 rejected keys. */
const SECONDS = Number(process.env.SECONDS || 8)
const WINDOW_SECONDS = 10
const LIMIT = 100
const MAX_P99_RATIO = 2
const CONNECTIONS = 32
const WARM_UP_SECONDS = 5
/** Requests that were sent before a half ended, and statements of workers. */
const PAUSE_MS = 500
/** Of an unknown key: its entry and its session, and the entry again when a proof has been created. */
const MISSES_PER_KEY = 3
/** The tolerance of counts that other work of the services affects. */
const OTHER_WORK = 1.1

/**
 * @param {Services} services
 * @param {ChildProcess} loader runs load.mjs
 */
export async function keyFloods({ urls, password, environment, startAnother }, loader) {
  // Behind a proxy, the client chooses its network.
  const { url } = await startAnother('payments', { TRUSTED_PROXIES: '127.0.0.1' })
  const counters = await openCounters(environment, urls.auth)
  const generator = fork(join(import.meta.dirname, 'open-loop.mjs'))
  const prober = fork(join(import.meta.dirname, 'probes.mjs'))
  // A caller that is refused ends its process.
  prober.on('exit', (code) => code && process.exit(code))
  try {
    const perSecond = (await rateOf401(url, loader)) / 2
    const callers = await newCallers(urls.auth, url, password)
    /** @type {Round[]} */
    const rounds = []
    // The first round warms up.
    for (let round = 0; round <= ROUNDS; round++) {
      const network = `192.0.2.${round}`
      const load = { ...floodFrom(network, perSecond), url }
      const half = { prober, callers: callers(network), read: counters.read }
      const quiet = await measure(half, () => sleep(SECONDS * 1_000))
      /** @type {Record<string, number>} */
      let statuses = {}
      const flooded = await measure(half, async () => {
        generator.send(load)
        const [result] = await once(generator, 'message')
        statuses = /** @type {OpenResult} */ (result).statuses
      })
      if (round > 0) rounds.push({ quiet, flooded, statuses })
      console.error(`round ${round}: ${JSON.stringify(statuses)}`)
    }
    return claimsOf(perSecond, rounds)
  } finally {
    generator.disconnect()
    prober.disconnect()
    await counters.close()
  }
}

/**
 * The rate at which payments answers 401 to such keys, each from another network: auth is asked about each.
 *
 * @param {string} url
 * @param {ChildProcess} loader
 */
async function rateOf401(url, loader) {
  const load = async (/** @type {number} */ block, /** @type {number} */ seconds) => {
    const clients = Array.from({ length: CONNECTIONS }, (_, connection) =>
      Array.from({ length: 60 * seconds }, (__, nth) =>
        get(`10.${block + connection}.${nth >> 8}.${nth & 255}`, newApiKey('sandbox')),
      ),
    )
    loader.send({ url, seconds, clients })
    const [result] = await once(loader, 'message')
    return result.perSecond
  }
  await load(0, WARM_UP_SECONDS)
  return load(CONNECTIONS, SECONDS)
}

/** @param {string} address @param {number} perSecond */
function floodFrom(address, perSecond) {
  const count = Math.floor(perSecond * SECONDS)
  const requests = Array.from({ length: count }, () => get(address, newApiKey('sandbox')))
  return { seconds: SECONDS, perSecond, connections: CONNECTIONS, requests }
}

/** @param {string} address @param {string} credential @returns {Request} */
function get(address, credential) {
  const headers = { authorization: `Bearer ${credential}`, 'x-forwarded-for': address }
  return { method: 'GET', path: '/api/payments', headers }
}

/**
 * Two users who read a payment every 10 ms: one with a key from the flooded network, one from another network.
 *
 * @param {string} auth
 * @param {string} url
 * @param {string} password
 */
async function newCallers(auth, url, password) {
  const users = []
  for (const phone of ['+256775000001', '+256775000002']) {
    const { create } = await signUp(auth, phone, password)
    const [read] = await toRead(url, create)
    const authorization = `Bearer ${await newKey(auth, create)}`
    users.push({ path: read?.path ?? '', authorization })
  }
  return (/** @type {string} */ network) =>
    [network, '198.51.100.1'].map((address, nth) => {
      const { path = '', authorization = '' } = users[nth] ?? {}
      return { url: url + path, headers: { authorization, 'x-forwarded-for': address } }
    })
}

/**
 * @param {{ prober: ChildProcess, callers: import('./probes.mjs').Probed[], read: () => Promise<Counts> }} half
 * @param {() => Promise<unknown>} work
 */
async function measure({ prober, callers, read }, work) {
  const before = await read()
  prober.send(callers)
  const begun = performance.now()
  await work()
  const seconds = (performance.now() - begun) / 1_000
  prober.send('stop')
  const [[same, other]] = await once(prober, 'message')
  await sleep(PAUSE_MS)
  const after = await read()
  return {
    seconds,
    same: quantile(same, 0.99),
    other: quantile(other, 0.99),
    misses: after.misses - before.misses,
    checks: after.checks - before.checks,
    lookups: after.lookups - before.lookups,
    statements: after.statements - before.statements,
  }
}

/**
 * @typedef {object} Counts
 * @property {number} misses keys that Redis was asked for and did not have
 * @property {number} checks keys that auth did not know
 * @property {number} lookups in the database, without those of valid keys
 * @property {number} statements all others, of both services
 *
 * @param {Record<string, string>} environment @param {string} auth
 */
async function openCounters(environment, auth) {
  const redis = new Redis(environment.REDIS_URL ?? '')
  const database = new pg.Client({ connectionString: environment.DATABASE_URL })
  await database.connect()
  await database.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements')
  const read = async () => {
    const [, misses] = /keyspace_misses:(\d+)/.exec(await redis.info('stats')) ?? []
    const checks = async (/** @type {string} */ outcome) =>
      metric(auth, `api_key_checks_total\\{outcome="${outcome}"\\}`)
    const valid = await checks('valid')
    const { rows } = await database.query(`
      SELECT (coalesce(sum(calls) FILTER (WHERE isLookup), 0))::integer AS lookups,
             (coalesce(sum(calls) FILTER (WHERE NOT isLookup), 0))::integer AS statements
      FROM (
        SELECT calls, query LIKE '%FROM api_keys%WHERE hash = $1%' AS isLookup
        FROM pg_stat_statements
      ) AS counted`)
    return {
      misses: Number(misses),
      checks: await checks('unknown'),
      lookups: /** @type {number} */ (rows[0].lookups) - valid,
      statements: /** @type {number} */ (rows[0].statements),
    }
  }
  const close = async () => {
    redis.disconnect()
    await database.end()
  }
  return { read, close }
}

/**
 * @typedef {Awaited<ReturnType<typeof measure>>} Half
 * @typedef {{ quiet: Half, flooded: Half, statuses: Record<string, number> }} Round
 *
 * @param {number} perSecond
 * @param {Round[]} rounds
 */
function claimsOf(perSecond, rounds) {
  const most = (/** @type {(round: Round) => number} */ figure) => Math.max(...rounds.map(figure))
  const other = p99(rounds, 'other')
  const extra = (/** @type {Round} */ { quiet, flooded }) => flooded.misses - quiet.misses
  const answers = [...new Set(rounds.flatMap(({ statuses }) => Object.keys(statuses)))]
  const rate = (/** @type {'quiet' | 'flooded'} */ half) =>
    median(rounds.map((round) => round[half].statements / round[half].seconds))
  const reached = [
    `${(most(extra) / MISSES_PER_KEY).toFixed(0)} Redis`,
    `${most(({ flooded }) => flooded.checks)} auth`,
    `${most(({ flooded }) => flooded.lookups)} the database`,
  ]
  const isWithinLimit = (/** @type {Round} */ round) => {
    const { checks, lookups, seconds } = round.flooded
    // A half that lasts longer than the window has the limit of a second one.
    const limit = LIMIT * Math.ceil(seconds / WINDOW_SECONDS)
    return Math.max(extra(round) / MISSES_PER_KEY, checks, lookups) <= limit
  }
  return [
    {
      holds:
        rounds.every(isWithinLimit) &&
        rate('flooded') <= OTHER_WORK * rate('quiet') &&
        answers.every((status) => ['401', '429'].includes(status)),
      text: `of ${perSecond.toFixed(0)} invalid keys a second for ${SECONDS} s, at most these reached: ${reached.join(', ')} (limit ${LIMIT}); other statements ${rate('flooded').toFixed(0)}/s, quiet ${rate('quiet').toFixed(0)}/s; answered ${answers.join(' and ')}`,
    },
    {
      holds: true,
      text: `a cached key of the same network was never refused: ${p99(rounds, 'same').text}`,
    },
    {
      holds: other.ratio <= MAX_P99_RATIO,
      text: `another caller: ${other.text}, at most ${MAX_P99_RATIO} wanted`,
    },
  ]
}

/** The p99 of a caller, relative to the quiet halves. @param {Round[]} rounds @param {'same' | 'other'} caller */
function p99(rounds, caller) {
  const of = (/** @type {(round: Round) => number} */ figure) => median(rounds.map(figure))
  const ratio = of(({ quiet, flooded }) => flooded[caller] / quiet[caller])
  const [flooded, quiet] = [of((each) => each.flooded[caller]), of((each) => each.quiet[caller])]
  return {
    ratio,
    text: `p99 ${ratio.toFixed(2)} times quiet (${flooded.toFixed(1)} and ${quiet.toFixed(1)} ms)`,
  }
}
