import { bool, type CleanedEnv, EnvError, makeValidator, str } from 'envalid'
import { type CountryCode, isSupportedCountry } from 'libphonenumber-js/min'
import { type Check, headers, integer, list, ratio, readableFile, readEnv, url } from './env.js'

/** The variables that both services share, in groups. `desc` is the description in the README's table. */

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const milliseconds = integer({ min: 0, max: 3_600_000 })
const portNumber = integer({ min: 1, max: 65_535 })
const postgresUrl = url('postgres', 'postgresql')
const collectorUrl = url('http', 'https')
const optional = (desc: string) => ({ default: undefined, desc })
const logLevel = str({ choices: LOG_LEVELS, default: 'info', desc: 'Minimum log level' })

export const httpVariables = (port: number, mode: string) => ({
  PORT: integer({ min: 0, max: 65_535 })({ default: port, desc: 'TCP port to listen on' }),
  MODE: str({ choices: ['sandbox', 'live'] as const, default: 'live', desc: mode }),
  LOG_LEVEL: logLevel,
  LOG_REQUESTS: bool({
    default: false,
    desc: 'Log every request at `info`, not only those with an error response',
  }),
  TRUSTED_PROXIES: list({
    default: [],
    desc: 'Addresses or networks of proxies whose `X-Forwarded-For` is trusted',
  }),
  CORS_ORIGINS: list({
    default: [],
    desc: 'Origins from which browsers may send requests; if unset, CORS is off',
  }),
  SHUTDOWN_DRAIN_MS: milliseconds({
    default: 0,
    desc: 'After SIGTERM, keep serving until no request has arrived for this long; but for at most four times this long',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl(
    optional(
      'Collector that receives traces (OTLP over HTTP), such as `http://collector:4318`; if unset, tracing is off',
    ),
  ),
  OTEL_EXPORTER_OTLP_HEADERS: headers({
    default: {},
    desc: 'Headers of requests to the collector: `name=value`, separated by commas',
  }),
  OTEL_TRACES_SAMPLER_ARG: ratio({
    default: 0.05,
    desc: 'Sampling ratio of root traces (0–1); a request with `traceparent` keeps its sampled flag',
  }),
})

export const databaseVariables = {
  DATABASE_URL: postgresUrl(
    optional('URL of the database, instead of `DB_HOST` and the other parts'),
  ),
  DB_HOST: str(optional('Database host')),
  DB_PORT: portNumber({ default: 5432, desc: 'Database port' }),
  DB_USERNAME: str(optional('Database role')),
  DB_PASSWORD: str(optional('Database password')),
  DB_PASSWORD_FILE: readableFile(
    optional('File with the database password, read for each new connection'),
  ),
  DB_NAME: str(optional('Database name')),
  DB_SSL: bool({ default: false, desc: 'Connect with TLS and verify the server' }),
  DB_SSL_CA_FILE: readableFile(optional('CA certificates that verify the database server')),
  DB_POOL_MAX: integer({ min: 1, max: 100 })({
    default: 8,
    desc: 'Maximum number of database connections',
  }),
  DB_BATCH_MAX: integer({ min: 1, max: 1_000 })({
    default: 64,
    desc: 'Maximum number of concurrent requests in one statement; 1 disables batching',
  }),
  DB_WAIT_MS: milliseconds({
    default: 12_000,
    desc: 'How long a request waits for an unavailable database before it is answered with 503',
  }),
}

export const redisVariables = {
  REDIS_URL: url('redis', 'rediss')(optional('URL of Redis')),
  REDIS_HOST: str(optional('Redis host, instead of `REDIS_URL`')),
  REDIS_PORT: portNumber({ default: 6379, desc: 'Redis port' }),
  REDIS_PASSWORD: str(optional('Redis password')),
  REDIS_PASSWORD_FILE: readableFile(
    optional('File with the Redis password, read for each new connection'),
  ),
  REDIS_CA_FILE: readableFile(optional('CA certificates that verify the server of `rediss://`')),
  REDIS_SENTINELS: list({ default: [], desc: 'Sentinels as `host:port`, instead of one Redis' }),
  REDIS_SENTINEL_MASTER: str(optional('Sentinel master name')),
}

export const contactVariables = {
  DEFAULT_REGION: makeValidator<CountryCode>((input) => {
    if (isSupportedCountry(input)) return input
    throw new EnvError('must be the two letters of a country, such as UG')
  })({ default: 'UG', desc: 'Country of phone numbers without a country code' }),
}

export type HttpEnv = CleanedEnv<ReturnType<typeof httpVariables>>
export type DatabaseEnv = CleanedEnv<typeof databaseVariables>
export type RedisEnv = CleanedEnv<typeof redisVariables>

export const checkDatabase: Check<DatabaseEnv> = (env) => {
  if (env.DATABASE_URL) return {}
  const missing: Record<string, string> = {}
  for (const name of ['DB_HOST', 'DB_USERNAME', 'DB_NAME'] as const) {
    if (!env[name]) missing[name] = 'is required (or DATABASE_URL)'
  }
  if (!env.DB_PASSWORD && !env.DB_PASSWORD_FILE) {
    missing['DB_PASSWORD'] = 'is required (or DB_PASSWORD_FILE, or DATABASE_URL)'
  }
  return missing
}

export const checkRedis: Check<RedisEnv> = (env) => {
  if (env.REDIS_SENTINELS.length === 0 || env.REDIS_SENTINEL_MASTER) return {}
  return { REDIS_SENTINEL_MASTER: 'is required with REDIS_SENTINELS' }
}

/** Reads only the variables of migrations, which run before Redis and the other service exist. */
export function readMigrationEnv() {
  const variables = {
    ...databaseVariables,
    DB_SERVICE_ROLE: str(
      optional(
        'Database role of the service, which migrations grant its privileges; none: the role that migrates',
      ),
    ),
    LOG_LEVEL: logLevel,
  }
  return readEnv(process.env, variables, checkDatabase)
}
