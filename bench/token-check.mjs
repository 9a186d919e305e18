/**
 * Measures the CPU time of a token check in a separate process: from the header to the caller, with the
 * real guard, auth and Redis. It receives tokens as a message and sends back microseconds of CPU per
 * check, with a local cache hit and with a Redis read.
 *
 * @typedef {object} Costs
 * @property {number} local
 * @property {number} redis
 */
import 'reflect-metadata'
import { setImmediate as yieldToEventLoop, setTimeout as sleep } from 'node:timers/promises'
import { Redis } from '@malipo/kit/redis/redis'
import { WorkerMetrics } from '@malipo/kit/worker/worker'
import { Workers } from '@malipo/kit/worker/workers'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { AuthClient } from '../services/payments/dist/caller/auth-client.js'
import { CallerGuard } from '../services/payments/dist/caller/caller.guard.js'
import { createTokenCheck } from '../services/payments/dist/caller/caller.providers.js'
import { readEnv } from '../services/payments/dist/env.js'

const MEASURED_MS = 1_000
/** Rounds of checks between two readings of the clock. */
const ROUNDS = 20

const env = readEnv()
const log = pino({ level: 'silent' })
const registry = new Registry()
const redis = new Redis(env, log)
const auth = new AuthClient(env.AUTH_SERVICE_URL, env.DB_WAIT_MS, registry, log)
const local = guardOver(redis)
// Without a live subscription the local cache is not used.
const remote = guardOver(
  Object.create(redis, { subscribe: { value: () => ({ isLive: false }) } }),
  new Registry(),
)
redis.onApplicationBootstrap()

process.on('disconnect', () => process.exit())
process.on('message', async (/** @type {string[]} */ headers) => {
  const requests = headers.map((authorization, id) => request(authorization, String(id)))
  await untilCached(requests)
  process.send?.({ local: await costOf(local, requests), redis: await costOf(remote, requests) })
})

/** @param {Redis} client @param {Registry} metrics */
function guardOver(client, metrics = registry) {
  const workers = new Workers(log, new WorkerMetrics(metrics))
  const check = createTokenCheck(env, { auth, redis: client, log, registry: metrics, workers })
  return new CallerGuard(check)
}

/** @param {string} authorization @param {string} id */
function request(authorization, id) {
  return /** @type {import('@malipo/kit/http/request').Request} */ (
    /** @type {unknown} */ ({ id, ip: '127.0.0.1', headers: { authorization } })
  )
}

/** Resolves when the process has cached each token. @param {object[]} requests */
async function untilCached(requests) {
  for (let n = 0; n < 10; n++) {
    await admitAll(local, requests)
    await sleep(100)
  }
}

/** Concurrent checks, as of requests on many connections. */
function admitAll(/** @type {CallerGuard} */ guard, /** @type {any[]} */ requests) {
  return Promise.all(requests.map((one) => guard.admit(one, ['payments:read'])))
}

/** Microseconds of CPU per check. @param {CallerGuard} guard @param {object[]} requests */
async function costOf(guard, requests) {
  const end = performance.now() + MEASURED_MS
  const before = process.cpuUsage()
  let checks = 0
  while (performance.now() < end) {
    for (let n = 0; n < ROUNDS; n++) {
      await admitAll(guard, requests)
      checks += requests.length
    }
    await yieldToEventLoop()
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / checks
}
