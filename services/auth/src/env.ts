import {
  type Check,
  checkDatabase,
  checkRedis,
  contactVariables,
  databaseVariables,
  readableFile,
  httpVariables,
  integer,
  readEnv,
  redisVariables,
  readSecret,
} from '@malipo/kit/config/env'
import { type CleanedEnv, str } from 'envalid'
import { readKeyFolder } from './tokens/key-folder.js'
import { KeySetError } from './tokens/key-set.js'

/** Every variable that auth reads. No other file looks at `process.env`. */
export const specs = {
  ...httpVariables(3002),
  ...databaseVariables,
  ...redisVariables,
  ...contactVariables,
  JWT_SECRET: str({
    default: undefined,
    desc: 'Secret that signs tokens (HS256), at least 32 bytes; never has a default',
  }),
  JWT_SECRET_FILE: readableFile({
    default: undefined,
    desc: 'File with it, instead of `JWT_SECRET`',
  }),
  JWT_KEYS_DIR: str({
    default: undefined,
    desc: 'Folder with the keys that sign tokens (ES256), read again when it changes; `npm run keys` makes it',
  }),
  JWT_ISSUER: str({ default: 'malipo-auth', desc: 'Who issues the tokens: their `iss`' }),
  JWT_AUDIENCE: str({ default: 'malipo', desc: 'Whom the tokens are for: their `aud`' }),
  JWT_EXPIRES_IN: integer({ min: 1, max: 86_400 })({
    default: 900,
    desc: 'How long an access token lives, in seconds',
  }),
  SESSION_EXPIRES_IN: integer({ min: 60, max: 31_536_000 })({
    default: 2_592_000,
    desc: 'How long a session lives without being refreshed, in seconds',
  }),
  BCRYPT_COST: integer({ min: 4, max: 15 })({
    default: 12,
    desc: 'Cost of a password’s hash: one more is twice the work; at least 10 in `live`',
  }),
  UV_THREADPOOL_SIZE: integer({ min: 2, max: 128 })({
    default: 4,
    desc: 'Threads of Node, which hash passwords: one more than the cores that may be used for it',
  }),
  REGISTRATIONS_PER_HOUR: integer({ min: 1, max: 1_000_000 })({
    default: undefined,
    desc: 'Registrations from one address (IPv6: one /64) in an hour; 100, and 10000 in `sandbox`',
  }),
  REFUSALS_PER_ADDRESS: integer({ min: 10, max: 1_000_000 })({
    default: undefined,
    desc: 'Refused logins, and refreshes, of one address in ten minutes; 200, and 4000 in `sandbox`',
  }),
}

/** In the sandbox one machine plays everyone. */
const NETWORK_LIMITS = {
  live: { registrationsPerHour: 100, refusalsPerAddress: 200 },
  sandbox: { registrationsPerHour: 10_000, refusalsPerAddress: 4_000 },
} as const

export type AuthEnv = CleanedEnv<typeof specs>

/** The injection token of the environment. */
export const ENV = Symbol('env')

/** RFC 7518, section 3.2: a key of HS256 has at least the 256 bits of its hash. */
const MIN_SECRET_BYTES = 32
/** Below this a stolen table of hashes is guessed too fast; tests and the sandbox may go lower. */
const MIN_LIVE_COST = 10

/** @throws ConfigurationError with a line for each variable that is missing or malformed */
export function readAuthEnv(source: NodeJS.ProcessEnv = process.env): AuthEnv {
  return readEnv(source, specs, ...checks)
}

/** What is let pass from one network. */
export function networkLimits(env: AuthEnv) {
  const usual = NETWORK_LIMITS[env.MODE]
  return {
    registrationsPerHour: env.REGISTRATIONS_PER_HOUR ?? usual.registrationsPerHour,
    refusalsPerAddress: env.REFUSALS_PER_ADDRESS ?? usual.refusalsPerAddress,
  }
}

/** The secret that tokens are signed with, if there is one. */
export function jwtSecret(env: Pick<AuthEnv, 'JWT_SECRET' | 'JWT_SECRET_FILE'>) {
  return readSecret(env.JWT_SECRET, env.JWT_SECRET_FILE)
}

/** What the operator's command reads: the service's environment, so that it runs where that runs. */
export function readOperatorEnv(source: NodeJS.ProcessEnv = process.env) {
  const OPERATOR_PASSWORD = str({
    default: undefined,
    desc: 'Password of the account that the operator’s command makes; asked for when missing',
  })
  return readEnv(source, { ...specs, OPERATOR_PASSWORD }, ...checks)
}

/** What the command that makes keys reads: it runs where nothing else of the service has to be. */
export function readKeysEnv(source: NodeJS.ProcessEnv = process.env) {
  const { JWT_KEYS_DIR, JWT_EXPIRES_IN } = specs
  return readEnv(source, { JWT_KEYS_DIR, JWT_EXPIRES_IN })
}

type KeyEnv = Pick<AuthEnv, 'JWT_SECRET' | 'JWT_SECRET_FILE' | 'JWT_KEYS_DIR'>

const checkSecret: Check<KeyEnv> = (env) => {
  const secret = jwtSecret(env)
  if (secret === undefined) {
    return env.JWT_KEYS_DIR
      ? {}
      : { JWT_SECRET: 'is required (or JWT_SECRET_FILE, or JWT_KEYS_DIR)' }
  }
  if (Buffer.byteLength(secret) >= MIN_SECRET_BYTES) return {}
  const name = env.JWT_SECRET_FILE ? 'JWT_SECRET_FILE' : 'JWT_SECRET'
  return { [name]: `must have at least ${MIN_SECRET_BYTES} bytes` }
}

const checkKeys: Check<KeyEnv> = ({ JWT_KEYS_DIR: folder }) => {
  try {
    if (folder) readKeyFolder(folder)
    return {}
  } catch (error) {
    if (error instanceof KeySetError) return { JWT_KEYS_DIR: error.message }
    throw error
  }
}

const checkCost: Check<Pick<AuthEnv, 'MODE' | 'BCRYPT_COST'>> = ({ MODE, BCRYPT_COST }) =>
  MODE === 'live' && BCRYPT_COST < MIN_LIVE_COST
    ? { BCRYPT_COST: `must be at least ${MIN_LIVE_COST} when MODE is live` }
    : {}

const checks = [checkDatabase, checkRedis, checkSecret, checkKeys, checkCost] as const
