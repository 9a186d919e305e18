import { readFileSync } from 'node:fs'
import {
  bool,
  type CleanedEnv,
  cleanEnv,
  EnvError,
  EnvMissingError,
  makeValidator,
  str,
  type ValidatorSpec,
} from 'envalid'
import { type CountryCode, isSupportedCountry } from 'libphonenumber-js/min'

/**
 * Configuration: environment variables and the files that they name, checked once at the start.
 * A service's `env.ts` lists its variables from the pieces here; nothing else reads `process.env`.
 */

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What is wrong with the configuration, a line a variable. */
export class ConfigurationError extends Error {
  constructor(readonly lines: readonly string[]) {
    super(lines.join('\n'))
    this.name = 'ConfigurationError'
  }
}

/** A whole number from `min` to `max`. */
export function integer(range: { min: number; max: number }) {
  return makeValidator<number>((input) => {
    const value = Number(input)
    if (/^\d+$/.test(input) && value >= range.min && value <= range.max) return value
    throw new EnvError(`must be a whole number from ${range.min} to ${range.max}`)
  })
}

/** Texts separated by commas; empty ones are dropped. */
export const list = makeValidator<string[]>((input) =>
  input
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
)

/** An address with one of the schemes. */
export function url(...schemes: string[]) {
  return makeValidator<string>((input) => {
    const url = URL.parse(input)
    if (url && schemes.includes(url.protocol.slice(0, -1))) return input
    throw new EnvError(
      `must be an address that begins with ${schemes.map((s) => `${s}://`).join(' or ')}`,
    )
  })
}

/** A part of all, from 0 to 1. */
export const ratio = makeValidator<number>((input) => {
  if (/^(0(\.\d+)?|1(\.0+)?)$/.test(input)) return Number(input)
  throw new EnvError('must be a number from 0 to 1')
})

/** Headers as OpenTelemetry writes them: `name=value`, by commas, the values percent-encoded. */
const headers = makeValidator<Record<string, string>>((input) => {
  const pairs = input.split(',').map((pair) => /^\s*([!#$%&'*+.^_`|~\w-]+)=(.*?)\s*$/.exec(pair))
  try {
    return Object.fromEntries(
      pairs.map((pair) => [
        pair?.[1] ?? decodeURIComponent('%'),
        decodeURIComponent(pair?.[2] ?? ''),
      ]),
    )
  } catch {
    throw new EnvError('must be name=value, several by commas, values percent-encoded')
  }
})

/** The path of a file that can be read. */
export const readableFile = makeValidator<string>((input) => {
  try {
    readFileSync(input)
    return input
  } catch {
    throw new EnvError('must name a file that can be read')
  }
})

const milliseconds = integer({ min: 0, max: 3_600_000 })
const portNumber = integer({ min: 1, max: 65_535 })

/** The variables of every service, by what they are about; `desc` goes into the README's table. */
export const httpVariables = (port: number) => ({
  PORT: integer({ min: 0, max: 65_535 })({ default: port, desc: 'TCP port to listen on' }),
  MODE: str({
    choices: ['sandbox', 'live'] as const,
    default: 'live',
    desc: '`sandbox` lets users settle their own payments; `live` never does',
  }),
  LOG_LEVEL: str({ choices: LOG_LEVELS, default: 'info', desc: 'Least level that is logged' }),
  LOG_REQUESTS: bool({
    default: false,
    desc: 'Log every request at `info`; without it those that were answered with an error',
  }),
  TRUSTED_PROXIES: list({
    default: [],
    desc: 'Addresses or networks of proxies whose `X-Forwarded-For` is believed',
  }),
  CORS_ORIGINS: list({
    default: [],
    desc: 'Origins that browsers may call from; none: CORS is off',
  }),
  SHUTDOWN_DRAIN_MS: milliseconds({
    default: 0,
    desc: 'After SIGTERM, serve on until no request has come for so long, four times that at most',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(
    'http',
    'https',
  )({
    default: undefined,
    desc: 'Collector that traces are sent to, OTLP over HTTP, such as `http://collector:4318`; none: no tracing',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: headers({
    default: {},
    desc: 'Headers for the collector: `name=value`, several by commas',
  }),
  OTEL_TRACES_SAMPLER_ARG: ratio({
    default: 0.05,
    desc: 'Part of the traces that begin here to be recorded; one that comes with a request says itself',
  }),
})

export const databaseVariables = {
  DATABASE_URL: url(
    'postgres',
    'postgresql',
  )({
    default: undefined,
    desc: 'The database in one address, instead of `DB_HOST` and the like',
  }),
  DB_HOST: str({ default: undefined, desc: 'Database host' }),
  DB_PORT: portNumber({ default: 5432, desc: 'Database port' }),
  DB_USERNAME: str({ default: undefined, desc: 'Database role' }),
  DB_PASSWORD: str({ default: undefined, desc: 'Its password' }),
  DB_PASSWORD_FILE: readableFile({
    default: undefined,
    desc: 'File with its password, read again for each connection',
  }),
  DB_NAME: str({ default: undefined, desc: 'Database name' }),
  DB_SSL: bool({ default: false, desc: 'Use TLS and verify the server' }),
  DB_SSL_CA_FILE: readableFile({
    default: undefined,
    desc: 'Certificates to verify the server with',
  }),
  DB_POOL_MAX: integer({ min: 1, max: 100 })({ default: 8, desc: 'Connections at most' }),
  DB_BATCH_MAX: integer({ min: 1, max: 1_000 })({
    default: 64,
    desc: 'Concurrent requests that one statement serves at most; 1: each has its own',
  }),
  DB_WAIT_MS: milliseconds({
    default: 12_000,
    desc: 'How long a request waits for a database that is away, then 503',
  }),
}

export const migrationVariables = {
  DB_SERVICE_ROLE: str({
    default: undefined,
    desc: 'Role of the service, which migrations give its rights; none: it is their own',
  }),
}

export const redisVariables = {
  REDIS_URL: url('redis', 'rediss')({ default: undefined, desc: 'Redis in one address' }),
  REDIS_HOST: str({ default: undefined, desc: 'Redis host, instead of `REDIS_URL`' }),
  REDIS_PORT: portNumber({ default: 6379, desc: 'Redis port' }),
  REDIS_PASSWORD: str({ default: undefined, desc: 'Redis password' }),
  REDIS_PASSWORD_FILE: readableFile({
    default: undefined,
    desc: 'File with it, read for each connection',
  }),
  REDIS_CA_FILE: readableFile({
    default: undefined,
    desc: 'Certificates to verify `rediss://` with',
  }),
  REDIS_SENTINELS: list({ default: [], desc: 'Sentinels as host:port, instead of one Redis' }),
  REDIS_SENTINEL_MASTER: str({ default: undefined, desc: 'The name they know the master by' }),
}

export const contactVariables = {
  DEFAULT_REGION: makeValidator<CountryCode>((input) => {
    if (isSupportedCountry(input)) return input
    throw new EnvError('must be a country’s two letters, such as UG')
  })({ default: 'UG', desc: 'Country whose national phone numbers are understood' }),
}

export type HttpEnv = CleanedEnv<ReturnType<typeof httpVariables>>
export type DatabaseEnv = CleanedEnv<typeof databaseVariables>
export type RedisEnv = CleanedEnv<typeof redisVariables>

/** What can be said of the variables only together: the problems found, by variable. */
export type Check<E> = (env: E) => Readonly<Partial<Record<string, string>>>

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

type Specs = Record<string, ValidatorSpec<unknown>>

/**
 * The variables of `specs` out of `source`, typed. An empty variable counts as unset.
 *
 * @throws ConfigurationError with one line for each variable that is missing or malformed; a value is
 * never repeated in it, for it may be a secret.
 */
export function readEnv<S extends Specs>(
  source: NodeJS.ProcessEnv,
  specs: S,
  ...checks: Check<CleanedEnv<S>>[]
): CleanedEnv<S> {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== ''))
  const wrong = new Map<string, string>()
  const env = cleanEnv(given, specs, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors))
        wrong.set(name, reason(error, specs[name]))
    },
  })
  const plain = { ...env }
  for (const check of wrong.size === 0 ? checks : []) {
    for (const [name, message] of Object.entries(check(plain))) wrong.set(name, message ?? '')
  }
  if (wrong.size === 0) return plain
  throw new ConfigurationError([...wrong].map(([name, message]) => `${name} ${message}`))
}

function reason(error: unknown, spec: { choices?: readonly unknown[] } | undefined): string {
  if (error instanceof EnvMissingError) return 'is required'
  if (spec?.choices) return `must be one of ${spec.choices.join(', ')}`
  return error instanceof Error ? error.message : 'is not valid'
}

/** What a migration needs: the database and nothing else, so that it runs before the rest is there. */
export function readMigrationEnv(source: NodeJS.ProcessEnv = process.env) {
  const { LOG_LEVEL } = httpVariables(0)
  return readEnv(source, { ...databaseVariables, ...migrationVariables, LOG_LEVEL }, checkDatabase)
}

/** The text of a secret: given directly, or in a file whose last line break is not part of it. */
export function readSecret(
  value: string | undefined,
  path: string | undefined,
): string | undefined {
  return path ? readFileSync(path, 'utf8').replace(/\r?\n$/, '') : value
}
