/**
 * Measures what invalid requests cost another user: 32 connections send logins of 80 kB with 9,000 unknown
 * fields as fast as they get responses, while one user validates a token every 10 ms. Both have one address.
 *
 * Fails if the user's p99 is more than twice the p99 of the quiet halves. `npm run build`, then
 * `node bench/invalid-input.mjs`. Environment variables: SECONDS of a half round, ROUNDS.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withServices } from './environment.mjs'
import { probe, quantile } from './probe.mjs'
import { prepare } from './work.mjs'

const SECONDS = Number(process.env.SECONDS || 15)
const ROUNDS = Number(process.env.ROUNDS || 3)
const CONNECTIONS = 32
const MAX_RATIO = 2
const WARM_UP_SECONDS = 10

const BODY = JSON.stringify(
  Object.fromEntries(Array.from({ length: 9_000 }, (_, i) => [`f${i}`, 1])),
)
const INVALID = {
  method: 'POST',
  path: '/api/auth/login',
  headers: { 'content-type': 'application/json' },
  body: BODY,
}

await withServices({ nodeOptions: undefined }, async ({ urls, password, startAnother }) => {
  // The services of the bench are in sandbox mode; this is the limit of `live`.
  const { url } = await startAnother('auth', { INVALID_REQUESTS_PER_MINUTE: '100' })
  const works = await prepare({ urls: { ...urls, auth: url }, password }, 1)
  const validate = works.find(({ name }) => name === 'validate')?.clientsOf(url)[0]?.[0]
  if (!validate) throw new Error('the bench has no request that validates a token')
  const user = (/** @type {number} */ seconds) => timesOf(url, validate, seconds)
  await user(WARM_UP_SECONDS)
  /** @type {number[]} */
  const quiet = []
  /** @type {number[]} */
  const attacked = []
  for (let round = 0; round < ROUNDS; round++) {
    quiet.push(...(await user(SECONDS)))
    const load = startLoad(url)
    attacked.push(...(await user(SECONDS)))
    const { count, perSecond } = await load
    console.error(`round ${round + 1}: ${count} invalid requests, ${perSecond.toFixed(0)}/s`)
  }
  const [before, during] = [quiet, attacked].map((times) => ({
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
  }))
  if (!before || !during) return
  const text = (/** @type {typeof before} */ { p50, p99 }) =>
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`
  const ratio = during.p99 / before.p99
  console.log(`quiet: ${text(before)} of ${quiet.length} requests`)
  console.log(`${CONNECTIONS} connections with invalid requests: ${text(during)}`)
  console.log(`p99: ${ratio.toFixed(2)} times quiet (at most ${MAX_RATIO})`)
  if (ratio > MAX_RATIO) process.exitCode = 1
})

/**
 * @param {string} url
 * @param {import('./load.mjs').Request} request
 * @param {number} seconds
 */
async function timesOf(url, { path, headers }, seconds) {
  const probing = probe(url + path, headers)
  await sleep(seconds * 1_000)
  return probing.stop()
}

/** @param {string} url @returns {Promise<import('./load.mjs').Result>} */
async function startLoad(url) {
  const loader = fork(join(import.meta.dirname, 'load.mjs'))
  loader.send({ url, seconds: SECONDS, clients: Array(CONNECTIONS).fill([INVALID]) })
  const [result] = await once(loader, 'message')
  loader.disconnect()
  return result
}
