import { readSecret } from '@malipo/kit/config/credentials'
import { checkDatabase } from '@malipo/kit/config/database-settings'
import { type Check, integer, readableFile, readEnv as read } from '@malipo/kit/config/env'
import { checkErasureKeys, erasureKeysOf, erasureVariables } from '@malipo/kit/config/erasure-keys'
import { checkKeyFile } from '@malipo/kit/config/key-file'
import { checkKeyFolder } from '@malipo/kit/config/key-folder'
import { checkRedis } from '@malipo/kit/config/redis-settings'
import {
  checkHttp,
  contactVariables,
  databaseVariables,
  httpVariables,
  redisVariables,
} from '@malipo/kit/config/variables'
import { type CleanedEnv, str } from 'envalid'
import { readKeyFolder } from './tokens/key-set.js'

export const VARIABLES = {
  ...httpVariables(3002, '`sandbox` lets users settle their own payments; `live` never does'),
  ...databaseVariables,
  ...redisVariables,
  ...contactVariables,
  JWT_SECRET: str({
    default: undefined,
    desc: 'Secret that signs access tokens (HS256), at least 32 bytes; has no default',
  }),
  JWT_SECRET_FILE: readableFile({ default: undefined, desc: 'File that contains `JWT_SECRET`' }),
  JWT_KEYS_DIR: str({
    default: undefined,
    desc: 'Folder of the keys that sign access tokens (ES256), created by `npm run keys`; changes are reloaded',
  }),
  JWT_ISSUER: str({ default: 'malipo-auth', desc: 'Issuer of access tokens (`iss`)' }),
  JWT_AUDIENCE: str({ default: 'malipo', desc: 'Audience of access tokens (`aud`)' }),
  JWT_EXPIRES_IN: integer({ min: 1, max: 86_400 })({
    default: 900,
    desc: 'Lifetime of an access token in seconds',
  }),
  SESSION_EXPIRES_IN: integer({ min: 60, max: 31_536_000 })({
    default: 2_592_000,
    desc: 'Lifetime of a session in seconds, counted from its last refresh; at least `JWT_EXPIRES_IN` and `REFRESH_GRACE_MS`',
  }),
  SESSIONS_PER_USER: integer({ min: 1, max: 100 })({
    default: 20,
    desc: 'Active sessions of a user; a login beyond this revokes the least recently used one',
  }),
  REFRESH_GRACE_MS: integer({ min: 0, max: 86_400_000 })({
    default: 60_000,
    desc: 'How long after its first use a refresh token is answered with the same successor; at least `DB_WAIT_MS` + 10000',
  }),
  REFRESH_KEYS_FILE: readableFile({
    default: undefined,
    desc: 'File with the keys that derive refresh tokens, one per line of at least 32 bytes; the first derives; required in `live`; in `sandbox` without a file, each process has a random key',
  }),
  BCRYPT_COST: integer({ min: 4, max: 15 })({
    default: 12,
    desc: 'Cost of password hashes; each step doubles the work; at least 10 in `live`',
  }),
  UV_THREADPOOL_SIZE: integer({ min: 2, max: 128 })({
    default: 4,
    desc: 'Size of Node’s thread pool, which hashes passwords; set it to the number of cores plus one',
  }),
  REGISTRATIONS_PER_MINUTE: integer({ min: 1, max: 1_000_000 })({
    default: undefined,
    desc: 'Registrations per minute from one IPv4 address or IPv6 /64 (twice as many per /56, four times per /48); 20 in `live`, 10000 in `sandbox`',
  }),
  REFUSALS_PER_MINUTE: integer({ min: 10, max: 1_000_000 })({
    default: undefined,
    desc: 'Rejected logins, and rejected refreshes, per minute from one IPv4 address or IPv6 /64 (twice as many per /56, four times per /48); 60 in `live`, 4000 in `sandbox`',
  }),
}

export type Env = CleanedEnv<typeof VARIABLES>

export const ENV = Symbol('env')

/** RFC 7518, section 3.2: an HS256 key has at least 256 bits. */
const MIN_SECRET_BYTES = 32
/** Below this cost stolen hashes are cheap to crack; only tests and the sandbox may use a lower cost. */
const MIN_LIVE_COST = 10
/** A statement may be executed this long after its request was answered: two times its own timeout. */
const LATE_STATEMENT_MS = 10_000

/** @throws ConfigurationError with one line for each invalid variable */
export function readEnv(source: NodeJS.ProcessEnv = process.env): Env {
  return read(source, VARIABLES, ...checks)
}

/** Rate limits per network, higher in the sandbox, where one machine may send all clients' requests. */
export function networkLimits(env: Env) {
  const [registrations, refusals] = env.MODE === 'live' ? [20, 60] : [10_000, 4_000]
  return {
    registrationsPerMinute: env.REGISTRATIONS_PER_MINUTE ?? registrations,
    refusalsPerMinute: env.REFUSALS_PER_MINUTE ?? refusals,
  }
}

/** The secret that signs access tokens, if one is configured. */
export function jwtSecret(env: Pick<Env, 'JWT_SECRET' | 'JWT_SECRET_FILE'>) {
  return readSecret(env.JWT_SECRET, env.JWT_SECRET_FILE)
}

/** The variables of `cli/operator`: those of the service, and the password of the new operator. */
export function readOperatorEnv() {
  const OPERATOR_PASSWORD = str({
    default: undefined,
    desc: 'Password of the account that `npm run operator` creates; prompted for if unset',
  })
  return read(process.env, { ...VARIABLES, OPERATOR_PASSWORD }, ...checks)
}

/** The variables of `cli/keys`, which needs no other configuration of the service. */
export function readKeysEnv() {
  const { JWT_KEYS_DIR, JWT_EXPIRES_IN } = VARIABLES
  return read(process.env, { JWT_KEYS_DIR, JWT_EXPIRES_IN })
}

/** The variables of `cli/retention`: the database, with the credentials that run migrations. */
export function readRetentionEnv() {
  const AUDIT_RETENTION_DAYS = integer({ min: 1, max: 36_500 })({
    desc: 'Age in days at which `cli/retention` deletes audit events',
  })
  return read(process.env, { ...databaseVariables, AUDIT_RETENTION_DAYS }, checkDatabase)
}

/** The variables of `cli/erase`: the database, with the credentials that run migrations, and the pseudonyms' keys. */
export function readErasureEnv() {
  const variables = {
    ...databaseVariables,
    ...contactVariables,
    ...erasureVariables,
    ERASE_ID: str({ default: undefined, desc: 'Id of the user whose data is erased' }),
    ERASE_PHONE: str({ default: undefined, desc: 'Phone of the user whose data is erased' }),
  }
  const env = read(process.env, variables, checkDatabase, checkErasureKeys)
  return { ...env, keys: erasureKeysOf(env) }
}

type KeyEnv = Pick<Env, 'JWT_SECRET' | 'JWT_SECRET_FILE' | 'JWT_KEYS_DIR'>

const checkSecret: Check<KeyEnv> = (env) => {
  if (env.JWT_SECRET && env.JWT_SECRET_FILE) {
    return { JWT_SECRET: 'must not be set with JWT_SECRET_FILE' }
  }
  const secret = jwtSecret(env)
  if (secret === undefined && !env.JWT_KEYS_DIR) {
    return { JWT_SECRET: 'is required (or JWT_SECRET_FILE, or JWT_KEYS_DIR)' }
  }
  if (secret === undefined || Buffer.byteLength(secret) >= MIN_SECRET_BYTES) return {}
  const name = env.JWT_SECRET_FILE ? 'JWT_SECRET_FILE' : 'JWT_SECRET'
  return { [name]: `must have at least ${MIN_SECRET_BYTES} bytes` }
}

const checkKeys = checkKeyFolder('JWT_KEYS_DIR', readKeyFolder)

const checkCost: Check<Pick<Env, 'MODE' | 'BCRYPT_COST'>> = ({ MODE, BCRYPT_COST }) =>
  MODE === 'live' && BCRYPT_COST < MIN_LIVE_COST
    ? { BCRYPT_COST: `must be at least ${MIN_LIVE_COST} when MODE is live` }
    : {}

const checkGrace: Check<Pick<Env, 'DB_WAIT_MS' | 'REFRESH_GRACE_MS'>> = (env) => {
  const min = env.DB_WAIT_MS + LATE_STATEMENT_MS
  if (env.REFRESH_GRACE_MS >= min) return {}
  return { REFRESH_GRACE_MS: `must be at least ${min} (DB_WAIT_MS + ${LATE_STATEMENT_MS})` }
}

/** A session that ends before its access token, or in its grace period, would break what those promise. */
const checkSession: Check<
  Pick<Env, 'SESSION_EXPIRES_IN' | 'JWT_EXPIRES_IN' | 'REFRESH_GRACE_MS'>
> = (env) => {
  const min = Math.max(env.JWT_EXPIRES_IN, Math.ceil(env.REFRESH_GRACE_MS / 1000))
  if (env.SESSION_EXPIRES_IN >= min) return {}
  return { SESSION_EXPIRES_IN: `must be at least ${min} (JWT_EXPIRES_IN and REFRESH_GRACE_MS)` }
}

const checks = [
  checkHttp,
  checkDatabase,
  checkRedis,
  checkSecret,
  checkKeys,
  checkCost,
  checkGrace,
  checkSession,
  checkKeyFile('REFRESH_KEYS_FILE'),
] as const
