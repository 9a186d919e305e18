import { type CleanedEnv, EnvError, makeValidator, str } from 'envalid'
import { type CountryCode, isSupportedCountry } from 'libphonenumber-js/min'
import { databaseUrl } from './database-url.js'
import { type Check, flag, headers, integer, ratio, readableFile, url } from './env.js'
import { origins, proxies } from './http-lists.js'
import { isHost, isHostOrFolder, withoutBrackets } from './ip-address.js'
import { redisUrl, sentinels } from './redis-address.js'

/** The variables that both services share, in groups. `desc` is the description in the README's table. */

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const milliseconds = integer({ min: 0, max: 3_600_000 })
const portNumber = integer({ min: 1, max: 65_535 })
const collectorUrl = url('http', 'https')
const optional = (desc: string) => ({ default: undefined, desc })
const hostThat = (isValid: (name: string) => boolean, form: string) =>
  makeValidator<string>((input) => {
    const name = withoutBrackets(input)
    if (isValid(name)) return name
    throw new EnvError(`must be ${form}, without a port`)
  })
const host = hostThat(isHost, 'a host name or an address')
const hostOrSocket = hostThat(isHostOrFolder, 'a host name, an address or the folder of a socket')
export const logLevel = str({ choices: LOG_LEVELS, default: 'info', desc: 'Minimum log level' })

export const httpVariables = (port: number, mode: string) => ({
  PORT: integer({ min: 0, max: 65_535 })({ default: port, desc: 'TCP port to listen on' }),
  MODE: str({ choices: ['sandbox', 'live'] as const, default: 'live', desc: mode }),
  LOG_LEVEL: logLevel,
  LOG_REQUESTS: flag({
    default: false,
    desc: 'Log every request at `info`, not only those with an error response',
  }),
  TRUSTED_PROXIES: proxies({
    default: [],
    desc: 'Addresses or networks of proxies whose `X-Forwarded-For` is trusted, such as `10.0.0.0/8,fd00::/8`',
  }),
  CORS_ORIGINS: origins({
    default: [],
    desc: 'Origins from which browsers may send requests, such as `https://app.example`; `*` only in `sandbox`; if unset, CORS is off',
  }),
  INVALID_REQUESTS_PER_MINUTE: integer({ min: 1, max: 1_000_000 })({
    default: undefined,
    desc: 'Invalid requests (400, 413, 414 or 415) per minute and network that a replica answers without delay; 100 in `live`, 10000 in `sandbox`',
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
  DATABASE_URL: databaseUrl(
    optional(
      'URL of the database, instead of `DB_HOST` and the other parts; user and password percent-encoded',
    ),
  ),
  DB_HOST: hostOrSocket(optional('Database host, or the folder of its socket')),
  DB_PORT: portNumber(optional('Database port; 5432 if unset')),
  DB_USERNAME: str(optional('Database role')),
  DB_PASSWORD: str(optional('Database password')),
  DB_PASSWORD_FILE: readableFile(
    optional('File with the database password, read for each new connection'),
  ),
  DB_NAME: str(optional('Database name')),
  DB_SSL: flag(
    optional(
      'Connect with TLS and verify the server; if unset, only with a CA file or an `sslmode`',
    ),
  ),
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
    desc: 'Deadline of a request: it waits this long for an unavailable database or dependency, then it is answered with 503',
  }),
}

export const redisVariables = {
  REDIS_URL: redisUrl(optional('URL of Redis: `redis://`, or `rediss://` for TLS')),
  REDIS_HOST: host(optional('Redis host, instead of `REDIS_URL`')),
  REDIS_PORT: portNumber({ default: 6379, desc: 'Redis port, with `REDIS_HOST`' }),
  REDIS_USERNAME: str(optional('Redis ACL user; if unset, the user `default`')),
  REDIS_PASSWORD: str(optional('Redis password')),
  REDIS_PASSWORD_FILE: readableFile(
    optional('File with the Redis password, read for each new connection'),
  ),
  REDIS_CA_FILE: readableFile(
    optional('CA certificates that verify Redis and its Sentinels; turns TLS on'),
  ),
  REDIS_SENTINELS: sentinels({
    default: [],
    desc: 'Sentinels as `host:port`, instead of one Redis; `rediss://host:port` for TLS',
  }),
  REDIS_SENTINEL_MASTER: str(optional('Sentinel master name')),
  REDIS_SENTINEL_USERNAME: str(optional('ACL user of the Sentinels')),
  REDIS_SENTINEL_PASSWORD: str(optional('Password of the Sentinels, if they have one')),
  REDIS_SENTINEL_PASSWORD_FILE: readableFile(
    optional('File with the password of the Sentinels, read for each new connection'),
  ),
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

export const checkHttp: Check<HttpEnv> = ({ MODE, CORS_ORIGINS }) =>
  MODE === 'live' && CORS_ORIGINS.includes('*')
    ? { CORS_ORIGINS: 'must not contain * when MODE is live' }
    : {}
