/**
 * `node bench/api-keys.mjs`: what a request with an API key costs beside one with a token, and what a flood of invalid
 * keys costs other callers. Prints a line for each claim, and fails if one is broken. See docs/performance.md.
 *
 * Environment variables: ONLY=create,get,flood; SECONDS of a half round, ROUNDS.
 */
import { fork } from 'node:child_process'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { withServices } from './environment.mjs'
import { keyFloods } from './key-floods.mjs'
import { costOfLoad } from './load-cost.mjs'
import { median } from './table.mjs'
import { newKey, signUp, toRead } from './work.mjs'

/**
 * @typedef {import('./load.mjs').Request} Request
 * @typedef {object} Work
 * @property {string} name
 * @property {Request[][]} token the requests of each connection
 * @property {Request[][]} key the same requests with an API key of the same user
 */

const CONNECTIONS = 32
/** Of the rate, relative to that with a token. */
const MIN_RATE = 0.95
/** Time in which V8 compiles the hot code. */
const WARM_UP_SECONDS = 8

const seconds = Number(process.env.SECONDS || 2)
const rounds = Number(process.env.ROUNDS || 12)
const only = process.env.ONLY?.split(',')

const loader = fork(join(import.meta.dirname, 'load.mjs'))
/** @type {{ holds: boolean, text: string }[]} */
const claims = []
const flags = ['-c', 'shared_preload_libraries=pg_stat_statements']
await withServices({ nodeOptions: undefined, postgresFlags: flags }, async (services) => {
  const isWanted = (/** @type {string} */ name) => only?.includes(name) ?? true
  if (isWanted('create') || isWanted('get')) {
    for (const work of await prepare(services)) {
      if (isWanted(work.name)) claims.push(await cost(services.urls.payments, work))
    }
  }
  if (isWanted('flood')) claims.push(...(await keyFloods(services, loader)))
})
loader.disconnect()
for (const { holds, text } of claims) console.log(`${holds ? 'holds' : 'BROKEN'}: ${text}`)
console.log(`load average ${loadavg()[0]?.toFixed(1)}`)
if (claims.some(({ holds }) => !holds)) process.exitCode = 1

/** @param {import('./environment.mjs').Services} services @returns {Promise<Work[]>} */
async function prepare({ urls: { auth, payments }, password }) {
  const create = { name: 'create', token: /** @type {Request[][]} */ ([]), key: [] }
  const get = { name: 'get', token: /** @type {Request[][]} */ ([]), key: [] }
  /** @type {[Work, Work]} */
  const works = [create, get]
  for (let i = 0; i < CONNECTIONS; i++) {
    const user = await signUp(auth, `+256${772_000_000 + i}`, password)
    const authorization = `Bearer ${await newKey(auth, user.create)}`
    const requests = [
      [user.create, { ...user.create, keyed: true }],
      await toRead(payments, user.create),
    ]
    for (const [nth, { token, key }] of works.entries()) {
      const own = requests[nth] ?? []
      token.push(own)
      key.push(own.map((one) => ({ ...one, headers: { ...one.headers, authorization } })))
    }
  }
  return works
}

/** @param {string} url @param {Work} work */
async function cost(url, { name, token, key }) {
  console.error(`${name}: ${rounds} rounds of 2 × ${seconds} s`)
  const half = (/** @type {Request[][]} */ clients, howLong = seconds) =>
    costOfLoad(loader, { url, seconds: howLong, clients })
  await half(token, WARM_UP_SECONDS)
  await half(key, WARM_UP_SECONDS)
  const measured = []
  for (let round = 0; round < rounds; round++) {
    // Each is first in half of the rounds.
    const isTokenFirst = round % 2 === 0
    const first = await half(isTokenFirst ? token : key)
    const second = await half(isTokenFirst ? key : token)
    const [byToken, byKey] = isTokenFirst ? [first, second] : [second, first]
    measured.push({ byToken, byKey })
  }
  const of = (/** @type {(round: typeof measured[number]) => number} */ figure) =>
    median(measured.map(figure))
  const rate = of(({ byToken, byKey }) => byKey.perSecond / byToken.perSecond)
  const cpu = of(({ byToken, byKey }) => byKey.micros / byToken.micros)
  const failures = measured.reduce(
    (sum, { byToken, byKey }) => sum + byToken.failures + byKey.failures,
    0,
  )
  const rates = `${of(({ byKey }) => byKey.perSecond).toFixed(0)} and ${of(({ byToken }) => byToken.perSecond).toFixed(0)}/s`
  const cpus = `${of(({ byKey }) => byKey.micros).toFixed(0)} and ${of(({ byToken }) => byToken.micros).toFixed(0)} µs`
  return {
    holds: rate >= MIN_RATE && failures === 0,
    text: `${name} with a key: ${rate.toFixed(3)} of the rate with a token (${rates}; at least ${MIN_RATE}), CPU of payments ${cpu.toFixed(3)} (${cpus}), medians of ${rounds} rounds, ${failures} failures`,
  }
}
