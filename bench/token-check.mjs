/**
 * What a token check costs, in a process of its own so that its CPU time can be told: from the header to
 * the caller, with the services' own code, auth and Redis. It takes tokens by message and sends back
 * microseconds of CPU a check, once as most are, known to the process, and once with a look at Redis.
 *
 * @typedef {object} Costs
 * @property {number} warm
 * @property {number} redis
 */
import 'reflect-metadata'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { Redis } from '@malipo/kit/redis/redis'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { AuthClient } from '../services/payments/dist/caller/auth-client.js'
import { CallerGuard } from '../services/payments/dist/caller/caller.guard.js'
import { createTokenCheck } from '../services/payments/dist/caller/caller.providers.js'
import { readEnv } from '../services/payments/dist/env.js'

const MEASURED_MS = 1_000
/** Checks between two looks at the clock. */
const CHUNK = 20

const env = readEnv()
const log = pino({ level: 'silent' })
const registry = new Registry()
const redis = new Redis(env, log)
const auth = new AuthClient(env.AUTH_SERVICE_URL, env.DB_WAIT_MS, registry)
const warm = guardOver(redis)
// A replica that hears no announcements asks Redis each time.
const cold = guardOver(
  Object.create(redis, { subscribe: { value: () => ({ isLive: false }) } }),
  new Registry(),
)
redis.onApplicationBootstrap()

process.on('disconnect', () => process.exit())
process.on('message', async (/** @type {string[]} */ headers) => {
  const requests = headers.map((authorization, id) => request(authorization, String(id)))
  await untilKnown(requests)
  process.send?.({ warm: await costOf(warm, requests), redis: await costOf(cold, requests) })
})

/** @param {Redis} over @param {Registry} own */
function guardOver(over, own = registry) {
  const check = createTokenCheck(env, { auth, redis: over, log, registry: own })
  return new CallerGuard(check)
}

/** @param {string} authorization @param {string} id */
function request(authorization, id) {
  return /** @type {import('@malipo/kit/http/request').Request} */ (
    /** @type {unknown} */ ({ id, ip: '127.0.0.1', headers: { authorization } })
  )
}

/** Resolves when the process has read each token from Redis. @param {object[]} requests */
async function untilKnown(requests) {
  for (let n = 0; n < 10; n++) {
    await admitAll(warm, requests)
    await sleep(100)
  }
}

/** All at once, as requests of so many connections come. */
function admitAll(/** @type {CallerGuard} */ guard, /** @type {any[]} */ requests) {
  return Promise.all(requests.map((one) => guard.admit(one, ['payments:read'])))
}

/** Microseconds of CPU a check. @param {CallerGuard} guard @param {object[]} requests */
async function costOf(guard, requests) {
  const end = performance.now() + MEASURED_MS
  const before = process.cpuUsage()
  let checks = 0
  while (performance.now() < end) {
    for (let n = 0; n < CHUNK; n++) {
      await admitAll(guard, requests)
      checks += requests.length
    }
    await turn()
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / checks
}
