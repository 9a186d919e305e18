import { readFileSync } from 'node:fs'
import { Redis as Client, type RedisOptions } from 'ioredis'
import { type RedisEnv, readSecret } from '../config/env.js'

/** How connections to Redis are made: given up soon, tried again for ever, with the password of now. */

const CONNECT_TIMEOUT_MS = 2_000
const RECONNECT_MS = { step: 50, most: 1_000 }

/** A connection, not opened yet; undefined when no Redis is configured. */
export function connect(env: RedisEnv, answerMs: number): Client | undefined {
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: answerMs,
    // A command that waits for a connection, or is sent a second time, is a late one.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    ...(env.REDIS_CA_FILE ? { tls: { ca: readFileSync(env.REDIS_CA_FILE, 'utf8') } } : {}),
  }
  const client = create(env, options)
  if (!client) return undefined
  client.options.retryStrategy = (tries) => {
    const password = readSecret(env.REDIS_PASSWORD, env.REDIS_PASSWORD_FILE)
    if (password !== undefined) client.options.password = password
    return Math.min(tries * RECONNECT_MS.step, RECONNECT_MS.most)
  }
  return client
}

function create(env: RedisEnv, options: RedisOptions): Client | undefined {
  const password = readSecret(env.REDIS_PASSWORD, env.REDIS_PASSWORD_FILE)
  if (password !== undefined) options.password = password
  if (env.REDIS_SENTINELS.length > 0) {
    const sentinels = env.REDIS_SENTINELS.map((item) => {
      const [host, port = '26379'] = item.split(':')
      return { host, port: Number(port) }
    })
    return new Client({ ...options, sentinels, name: env.REDIS_SENTINEL_MASTER })
  }
  if (env.REDIS_URL) return new Client(env.REDIS_URL, options)
  if (env.REDIS_HOST) return new Client({ ...options, host: env.REDIS_HOST, port: env.REDIS_PORT })
  return undefined
}
