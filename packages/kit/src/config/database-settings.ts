import { readSecret, tlsOptions } from './credentials.js'
import type { Check } from './env.js'
import type { DatabaseEnv } from './variables.js'

/** How to connect to the database: what `DATABASE_URL` and the variables `DB_…` say together. */
export interface DatabaseSettings {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly name: string
  /** Read for each new connection. */
  readonly password: () => string | undefined
  readonly ssl: ReturnType<typeof tlsOptions> | false
  readonly applicationName: string | undefined
  readonly options: string | undefined
}

const DEFAULT_PORT = 5432

export function databaseSettings(env: DatabaseEnv): DatabaseSettings {
  const url = env.DATABASE_URL
  return {
    host: url?.host ?? env.DB_HOST ?? '',
    port: url?.port ?? env.DB_PORT ?? DEFAULT_PORT,
    username: url?.username ?? env.DB_USERNAME ?? '',
    name: url?.name ?? env.DB_NAME ?? '',
    password: () => url?.password ?? readSecret(env.DB_PASSWORD, env.DB_PASSWORD_FILE),
    ssl: usesTls(env) && tls(env),
    applicationName: url?.applicationName,
    options: url?.options,
  }
}

function usesTls(env: DatabaseEnv): boolean {
  const mode = env.DATABASE_URL?.sslMode
  return env.DB_SSL ?? (mode === undefined ? caFile(env) !== undefined : mode !== 'disable')
}

function tls(env: DatabaseEnv) {
  const file = caFile(env)
  const options = tlsOptions(file === 'system' ? undefined : file)
  if (env.DATABASE_URL?.sslMode !== 'verify-ca') return options
  return Object.assign(options, { checkServerIdentity: () => undefined })
}

function caFile(env: DatabaseEnv): string | undefined {
  return env.DB_SSL_CA_FILE ?? env.DATABASE_URL?.sslRootCert
}

/** Each setting has one value: a variable that contradicts another ends the start. */
export const checkDatabase: Check<DatabaseEnv> = (env) => ({
  ...contradictingParts(env),
  ...missingParts(env),
  ...contradictingPasswords(env),
  ...contradictingTls(env),
})

function contradictingParts(env: DatabaseEnv): Record<string, string> {
  const url = env.DATABASE_URL
  if (!url) return {}
  const messages: Record<string, string> = {}
  const parts = [
    ['DB_HOST', env.DB_HOST, url.host],
    ['DB_PORT', env.DB_PORT, url.host && (url.port ?? DEFAULT_PORT)],
    ['DB_USERNAME', env.DB_USERNAME, url.username],
    ['DB_NAME', env.DB_NAME, url.name],
    ['DB_PASSWORD', env.DB_PASSWORD, url.password],
  ] as const
  for (const [name, value, inUrl] of parts) {
    if (value !== undefined && inUrl !== undefined && value !== inUrl) {
      messages[name] = 'contradicts DATABASE_URL: set only one of them'
    }
  }
  if (url.password !== undefined && env.DB_PASSWORD_FILE) {
    messages['DB_PASSWORD_FILE'] = 'contradicts the password in DATABASE_URL: set only one of them'
  }
  return messages
}

function contradictingPasswords(env: DatabaseEnv): Record<string, string> {
  const hasBoth = env.DB_PASSWORD !== undefined && env.DB_PASSWORD_FILE !== undefined
  return hasBoth ? { DB_PASSWORD: 'must not be set with DB_PASSWORD_FILE' } : {}
}

function missingParts(env: DatabaseEnv): Record<string, string> {
  const url = env.DATABASE_URL
  const messages: Record<string, string> = {}
  const parts = [
    ['DB_HOST', env.DB_HOST ?? url?.host],
    ['DB_USERNAME', env.DB_USERNAME ?? url?.username],
    ['DB_NAME', env.DB_NAME ?? url?.name],
  ] as const
  for (const [name, value] of parts) {
    if (value === undefined) messages[name] = 'is required (or DATABASE_URL)'
  }
  // A URL without a password is for a server that does not ask for one.
  if (!url && !env.DB_PASSWORD && !env.DB_PASSWORD_FILE) {
    messages['DB_PASSWORD'] = 'is required (or DB_PASSWORD_FILE, or DATABASE_URL)'
  }
  return messages
}

function contradictingTls(env: DatabaseEnv): Record<string, string> {
  const { DB_SSL, DB_SSL_CA_FILE: file, DATABASE_URL: url } = env
  const isOff = url?.sslMode === 'disable'
  if (DB_SSL !== undefined && url?.sslMode !== undefined && DB_SSL === isOff) {
    return { DB_SSL: 'contradicts the sslmode in DATABASE_URL: set only one of them' }
  }
  if (file && url?.sslRootCert && file !== url.sslRootCert) {
    return { DB_SSL_CA_FILE: 'contradicts the sslrootcert in DATABASE_URL: set only one of them' }
  }
  if (caFile(env) !== undefined && !usesTls(env)) {
    const name = file ? 'DB_SSL_CA_FILE' : 'DATABASE_URL'
    const why = DB_SSL === false ? 'DB_SSL is false' : 'the sslmode is disable'
    return { [name]: `must not name CA certificates while ${why}` }
  }
  const host = url?.host ?? env.DB_HOST
  if (host?.startsWith('/') && usesTls(env)) {
    return { DB_SSL: 'must be false for a socket, which has no TLS' }
  }
  return {}
}
