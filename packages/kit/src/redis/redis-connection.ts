import { Redis as Client, type RedisOptions } from 'ioredis'
import { readSecret, tlsOptions } from '../config/credentials.js'
import type { RedisEnv } from '../config/variables.js'

/** Creates an unconnected client, which reconnects indefinitely; undefined if no Redis is configured. */
export function connect(env: RedisEnv, commandTimeoutMs: number): Client | undefined {
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: 2_000,
    commandTimeout: commandTimeoutMs,
    // Commands are neither queued while disconnected nor sent again: their results would be too late.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    ...(env.REDIS_CA_FILE ? { tls: tlsOptions(env.REDIS_CA_FILE) } : {}),
    ...passwordOf(env),
  }
  const client = create(env, options)
  if (!client) return undefined
  client.options.retryStrategy = (attempts) => {
    Object.assign(client.options, passwordOf(env))
    return Math.min(attempts * 50, 1_000)
  }
  return client
}

function passwordOf(env: RedisEnv): Pick<RedisOptions, 'password'> {
  const password = readSecret(env.REDIS_PASSWORD, env.REDIS_PASSWORD_FILE)
  return password === undefined ? {} : { password }
}

function create(env: RedisEnv, options: RedisOptions): Client | undefined {
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
