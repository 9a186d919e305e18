import { Redis as Client, type RedisOptions } from 'ioredis'
import { secretReader, tlsOptions } from '../config/credentials.js'
import { redisUsesTls } from '../config/redis-settings.js'
import type { RedisEnv } from '../config/variables.js'
import { Backoff } from './backoff.js'

const CONNECT_TIMEOUT_MS = 2_000
/** Timeout of a command; callers that can do without Redis wait for less. */
export const COMMAND_TIMEOUT_MS = 2_000
/**
 * A connection that stays silent for this long while a command waits is dead: no packet may say so. The
 * heartbeat always has a command that waits.
 */
const SILENCE_MS = 2_000
const KEEP_ALIVE_MS = 10_000

/** Creates an unconnected client, which reconnects indefinitely; undefined if no Redis is configured. */
export function connect(env: RedisEnv): Client | undefined {
  const server = serverOf(env)
  if (!server) return undefined
  const credentials = credentialsOf(env)
  const client = new Client({
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
    keepAlive: KEEP_ALIVE_MS,
    // Commands are neither queued while disconnected nor sent again: their results would be too late.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // `Primary` checks the server instead, with less than all of INFO, which the user may not be allowed to run.
    enableReadyCheck: false,
    disableClientInfo: true,
    ...server,
    ...credentials(),
  })
  client.on('error', () => {
    // ioredis handles one error of a connection. Another one, as TLS may report, would end the process.
    if (client.stream?.listenerCount('error') === 0) client.stream.on('error', () => undefined)
  })
  const backoff = new Backoff()
  client.on('ready', () => backoff.ready(performance.now()))
  const pauseMs = () => {
    Object.assign(client.options, credentials())
    return backoff.next(performance.now(), Math.random())
  }
  client.options.retryStrategy = pauseMs
  client.options.sentinelRetryStrategy = pauseMs
  return client
}

function serverOf(env: RedisEnv): RedisOptions | undefined {
  const tls = redisUsesTls(env) ? { tls: tlsOptions(env.REDIS_CA_FILE) } : {}
  if (env.REDIS_SENTINELS.length > 0) {
    return {
      sentinels: env.REDIS_SENTINELS.map(({ host, port }) => ({ host, port })),
      name: env.REDIS_SENTINEL_MASTER ?? '',
      sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
      ...('tls' in tls ? { ...tls, sentinelTLS: tls.tls, enableTLSForSentinelMode: true } : {}),
    }
  }
  if (env.REDIS_URL) {
    const { host, port, db } = env.REDIS_URL
    return { host, port, db, ...tls }
  }
  return env.REDIS_HOST ? { host: env.REDIS_HOST, port: env.REDIS_PORT, ...tls } : undefined
}

function credentialsOf(env: RedisEnv): () => RedisOptions {
  const username = env.REDIS_URL?.username ?? env.REDIS_USERNAME
  const sentinelUsername = env.REDIS_SENTINEL_USERNAME
  const ofUrl = env.REDIS_URL?.password
  const password = secretReader(ofUrl ?? env.REDIS_PASSWORD, env.REDIS_PASSWORD_FILE)
  const sentinelPassword = secretReader(
    env.REDIS_SENTINEL_PASSWORD,
    env.REDIS_SENTINEL_PASSWORD_FILE,
  )
  return () =>
    defined({
      username,
      password: password(),
      sentinelUsername,
      sentinelPassword: sentinelPassword(),
    })
}

function defined(options: Record<string, string | undefined>): RedisOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
