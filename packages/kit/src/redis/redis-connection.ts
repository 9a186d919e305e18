import { Redis as Client, type RedisOptions } from 'ioredis'
import { readSecret } from '../config/env.js'
import type { RedisEnv } from '../config/variables.js'
import { tlsOptions } from '../config/tls.js'

const CONNECT_TIMEOUT_MS = 2_000
const RECONNECT_MS = { step: 50, max: 1_000 }

/** A client that is not connected yet; undefined when no Redis is configured. It reconnects without limit. */
export function connect(env: RedisEnv, commandTimeoutMs: number): Client | undefined {
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: commandTimeoutMs,
    // A command that waits for a connection, or is sent again, is a late one.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    ...(env.REDIS_CA_FILE ? { tls: tlsOptions(env.REDIS_CA_FILE) } : {}),
  }
  const client = create(env, options)
  if (!client) return undefined
  client.options.retryStrategy = (attempts) => {
    // Read again for each connection, so that a rotated password needs no restart.
    const password = readSecret(env.REDIS_PASSWORD, env.REDIS_PASSWORD_FILE)
    if (password !== undefined) client.options.password = password
    return Math.min(attempts * RECONNECT_MS.step, RECONNECT_MS.max)
  }
  return client
}

function create(env: RedisEnv, options: RedisOptions): Client | undefined {
  const password = readSecret(env.REDIS_PASSWORD, env.REDIS_PASSWORD_FILE)
  if (password !== undefined) options.password = password
  if (env.REDIS_SENTINELS.length > 0) {
    const sentinels = env.REDIS_SENTINELS.map((sentinel) => {
      const [host, port = '26379'] = sentinel.split(':')
      return { host, port: Number(port) }
    })
    return new Client({ ...options, sentinels, name: env.REDIS_SENTINEL_MASTER })
  }
  if (env.REDIS_URL) return new Client(env.REDIS_URL, options)
  if (env.REDIS_HOST) return new Client({ ...options, host: env.REDIS_HOST, port: env.REDIS_PORT })
  return undefined
}
