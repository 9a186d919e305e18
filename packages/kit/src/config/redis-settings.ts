import type { Check } from './env.js'
import type { RedisEnv } from './variables.js'

/** Each setting has one value: a variable that contradicts another ends the start. */
export const checkRedis: Check<RedisEnv> = (env) => ({
  ...contradictingServers(env),
  ...contradictingCredentials(env),
  ...contradictingTls(env),
})

/** Whether connections to Redis and to its Sentinels use TLS. */
export function redisUsesTls({ REDIS_URL, REDIS_SENTINELS, REDIS_CA_FILE }: RedisEnv): boolean {
  if (REDIS_SENTINELS.length === 0 && REDIS_URL) return REDIS_URL.tls
  return REDIS_CA_FILE !== undefined || REDIS_SENTINELS.some(({ tls }) => tls)
}

function contradictingServers(env: RedisEnv): Record<string, string> {
  const messages: Record<string, string> = {}
  const hasSentinels = env.REDIS_SENTINELS.length > 0
  if (hasSentinels && env.REDIS_URL) messages['REDIS_URL'] = 'must not be set with REDIS_SENTINELS'
  if (env.REDIS_HOST && (hasSentinels || env.REDIS_URL)) {
    messages['REDIS_HOST'] =
      `must not be set with ${hasSentinels ? 'REDIS_SENTINELS' : 'REDIS_URL'}`
  }
  if (hasSentinels && !env.REDIS_SENTINEL_MASTER) {
    messages['REDIS_SENTINEL_MASTER'] = 'is required with REDIS_SENTINELS'
  }
  const name = SENTINEL_VARIABLES.find((variable) => env[variable] !== undefined)
  if (name && !hasSentinels) messages['REDIS_SENTINELS'] = `is required with ${name}`
  return messages
}

const SENTINEL_VARIABLES = [
  'REDIS_SENTINEL_MASTER',
  'REDIS_SENTINEL_USERNAME',
  'REDIS_SENTINEL_PASSWORD',
  'REDIS_SENTINEL_PASSWORD_FILE',
] as const

function contradictingCredentials(env: RedisEnv): Record<string, string> {
  const messages: Record<string, string> = {}
  const url = env.REDIS_URL
  if (url?.username && env.REDIS_USERNAME && url.username !== env.REDIS_USERNAME) {
    messages['REDIS_USERNAME'] = 'contradicts the user in REDIS_URL: set only one of them'
  }
  if (url?.password) {
    const message = 'contradicts the password in REDIS_URL: set only one of them'
    if (env.REDIS_PASSWORD_FILE) messages['REDIS_PASSWORD_FILE'] = message
    if (env.REDIS_PASSWORD && env.REDIS_PASSWORD !== url.password) {
      messages['REDIS_PASSWORD'] = message
    }
  }
  const hasPassword = url?.password ?? env.REDIS_PASSWORD ?? env.REDIS_PASSWORD_FILE
  if ((env.REDIS_USERNAME ?? url?.username) && !hasPassword) {
    messages['REDIS_PASSWORD'] = 'is required with a user (or REDIS_PASSWORD_FILE)'
  }
  for (const name of ['REDIS_PASSWORD', 'REDIS_SENTINEL_PASSWORD'] as const) {
    const file = `${name}_FILE` as const
    if (env[name] && env[file]) messages[name] = `must not be set with ${file}`
  }
  const hasSentinelPassword = env.REDIS_SENTINEL_PASSWORD ?? env.REDIS_SENTINEL_PASSWORD_FILE
  if (env.REDIS_SENTINEL_USERNAME && !hasSentinelPassword) {
    messages['REDIS_SENTINEL_PASSWORD'] =
      'is required with REDIS_SENTINEL_USERNAME (or REDIS_SENTINEL_PASSWORD_FILE)'
  }
  return messages
}

function contradictingTls(env: RedisEnv): Record<string, string> {
  const schemes = new Set(env.REDIS_SENTINELS.map(({ tls }) => tls ?? redisUsesTls(env)))
  if (schemes.size > 1) {
    return { REDIS_SENTINELS: 'must use TLS for all Sentinels or for none' }
  }
  const isPlain =
    env.REDIS_URL?.tls === false || env.REDIS_SENTINELS.some(({ tls }) => tls === false)
  if (!env.REDIS_CA_FILE || !isPlain) return {}
  return { REDIS_CA_FILE: 'contradicts redis://, which has no TLS: use rediss://' }
}
