import { readFileSync } from 'node:fs'
import { checkDatabase } from '@malipo/kit/config/database-settings'
import {
  type Check,
  ConfigurationError,
  integer,
  readableFile,
  readEnv as read,
  url,
} from '@malipo/kit/config/env'
import { checkErasureKeys, erasureKeysOf, erasureVariables } from '@malipo/kit/config/erasure-keys'
import { checkKeyFile } from '@malipo/kit/config/key-file'
import { checkSealKeys } from '@malipo/kit/seal/seal-keys'
import { checkRedis } from '@malipo/kit/config/redis-settings'
import {
  checkHttp,
  contactVariables,
  databaseVariables,
  httpVariables,
  redisVariables,
} from '@malipo/kit/config/variables'
import { type CleanedEnv, EnvError, makeValidator, str } from 'envalid'
import { deliveryVariables } from './deliveries/variables.js'
import { checkEgress, egressVariables } from './egress/egress-env.js'
import { MAX_PAYER_HOURLY } from './payments/insert.statement.js'
import { MANUAL, NO_PROVIDERS, type ProvidersFile } from './providers/accounts.js'
import type { ProvidersSource } from './providers/provider-accounts.js'
import { faultText, parseProviders } from './providers/providers-file.js'
import { ADAPTERS } from './providers/registry.js'
import { parseSecrets, type ProviderSecret } from './webhooks/signature.js'

const milliseconds = integer({ min: 0, max: 86_400_000 })

const timeScale = makeValidator<number>((input) => {
  const value = Number(input)
  if (/^\d+(?:\.\d+)?$/.test(input) && value > 0 && value <= 1) return value
  throw new EnvError('must be a number above 0 and at most 1')
})

const SECRETS_FORM =
  'must be provider=secret, separated by commas, each secret 24 to 64 bytes in base64'

const providerSecrets = makeValidator<ProviderSecret[]>((input) => {
  const secrets = parseSecrets(input)
  if (secrets) return secrets
  throw new EnvError(SECRETS_FORM)
})

const webhookVariables = {
  WEBHOOK_SECRETS: providerSecrets({
    default: [],
    desc: 'Signing secrets of `manual` and of accounts of the adapter `standard`: `manual=whsec_…,acme=whsec_…`; to rotate a secret, list the provider twice',
  }),
  WEBHOOK_SECRETS_FILE: readableFile({
    default: undefined,
    desc: 'File with `WEBHOOK_SECRETS`, separated by commas or line breaks',
  }),
  WEBHOOK_RETIRED_SECRETS_FILE: readableFile({
    default: undefined,
    desc: 'File with retired secrets, in the same form: they verify stored webhooks only, and new ones never',
  }),
}

const providerVariables = {
  PROVIDERS_FILE: readableFile({
    default: undefined,
    desc: 'YAML file with the accounts at providers, read again when it changes: docs/providers.md; without it, payments are only manual',
  }),
  PROVIDER_TIME_SCALE: timeScale({
    default: 1,
    desc: 'Factor of all delays between calls to providers, such as `0.01` in tests; only in `sandbox`',
  }),
  PROVIDER_LEASE_SECONDS: integer({ min: 1, max: 3_600 })({
    default: 30,
    desc: 'The time after the timeout of a call for which no other replica repeats it, in seconds',
  }),
  PROVIDER_PAUSE_MAX_SECONDS: integer({ min: 1, max: 3_600 })({
    default: 300,
    desc: 'The longest pause after failed calls in a row to an account, in seconds',
  }),
  PROVIDER_QUERY_MAX_SECONDS: integer({ min: 1, max: 86_400 })({
    default: 86_400,
    desc: 'The longest delay between two queries of an open attempt, in seconds',
  }),
  RECOVERY_ID: str({
    default: undefined,
    desc: 'Set after a restore: no provider is called until the command `recover` has recorded this id',
  }),
  PAYER_OPEN_MAX: integer({ min: 1, max: 1_000 })({
    default: undefined,
    desc: 'Open payments of one payer with provider accounts, over all merchants; 3 in `live`, no limit in `sandbox`',
  }),
  PAYER_HOURLY_MAX: integer({ min: 1, max: MAX_PAYER_HOURLY })({
    default: undefined,
    desc: 'Payments of one payer with provider accounts in any hour, over all merchants; 10 in `live`, no limit in `sandbox`',
  }),
  MERCHANT_DAILY_MAX: integer({ min: 1, max: 1_000_000_000 })({
    default: undefined,
    desc: 'Payments of one merchant with provider accounts in a day of UTC; no limit by default',
  }),
  PROVIDER_SEND_SECONDS: integer({ min: 1, max: 86_400 })({
    default: 60,
    desc: 'A payment that can’t be sent to its provider for this long fails, in seconds',
  }),
}

/** Every environment variable of the service. No other file reads `process.env`. */
export const VARIABLES = {
  ...httpVariables(4000, 'As that of auth, which grants scopes by it'),
  ...databaseVariables,
  ...redisVariables,
  ...contactVariables,
  AUTH_SERVICE_URL: url('http', 'https')({ desc: 'URL of auth, such as `http://127.0.0.1:3002`' }),
  TOKEN_CACHE_TTL_MS: milliseconds({
    default: 60_000,
    desc: 'How long a validated token is accepted from the cache without calling auth, in ms',
  }),
  TOKEN_CACHE_STALE_MS: milliseconds({
    default: 900_000,
    desc: 'How long a validated token is accepted from the cache while auth is unavailable, in ms',
  }),
  TOKEN_CACHE_KEYS_FILE: readableFile({
    default: undefined,
    desc: 'File with the keys that sign cached tokens in Redis, one per line of at least 32 bytes; the first signs, all verify; required in `live`; otherwise random by default',
  }),
  CALLBACK_KEYS_FILE: readableFile({
    default: undefined,
    desc: 'File with the keys of callback URLs, one per line of at least 32 bytes; the first makes new URLs, all are accepted; otherwise random, so that other replicas reject the callbacks',
  }),
  WEBHOOK_ENCRYPTION_KEYS_DIR: str({
    default: undefined,
    desc: 'Folder with the keys that seal the secrets of webhook endpoints, read again when it changes: docs/notifications.md; without it, no endpoint is created',
  }),
  ...webhookVariables,
  ...providerVariables,
  ...deliveryVariables,
  ...egressVariables,
}

type Variables = CleanedEnv<typeof VARIABLES>
type WebhookVariables = CleanedEnv<typeof webhookVariables>

export type Env = Variables & {
  readonly providerSecrets: readonly ProviderSecret[]
  readonly providers: ProvidersSource
}

const checkSecrets: Check<WebhookVariables> = (env) => {
  if (env.WEBHOOK_SECRETS.length > 0 && env.WEBHOOK_SECRETS_FILE) {
    return { WEBHOOK_SECRETS: 'must not be set with WEBHOOK_SECRETS_FILE' }
  }
  const active = secretsOf(env)
  if (!active) return { WEBHOOK_SECRETS_FILE: SECRETS_FORM }
  const retired = retiredSecretsOf(env)
  if (!retired) return { WEBHOOK_RETIRED_SECRETS_FILE: SECRETS_FORM }
  const isActive = ({ keyId }: ProviderSecret) => active.some((secret) => secret.keyId === keyId)
  return retired.some(isActive) ? { WEBHOOK_RETIRED_SECRETS_FILE: STILL_ACTIVE } : {}
}

const STILL_ACTIVE =
  'must not list a secret that WEBHOOK_SECRETS lists: a retired one is not accepted'

/** @throws ConfigurationError with one line for each variable that is missing or malformed */
export function readEnv(source: NodeJS.ProcessEnv = process.env): Env {
  const keyChecks = [
    checkKeyFile('TOKEN_CACHE_KEYS_FILE'),
    checkKeyFile('CALLBACK_KEYS_FILE', false),
    checkSealKeys('WEBHOOK_ENCRYPTION_KEYS_DIR'),
  ] as const
  const checks = [checkHttp, checkDatabase, checkRedis, checkSecrets, checkTimeScale] as const
  const env = read(source, VARIABLES, ...checks, checkEgress, ...keyChecks)
  const providerSecrets = secretsOf(env) ?? []
  const providers = readProviders(env)
  const faults = senderFaults(providerSecrets, providers.file)
  if (faults.length > 0) throw new ConfigurationError(faults)
  return { ...env, providerSecrets, providers }
}

const checkTimeScale: Check<Variables> = ({ MODE, PROVIDER_TIME_SCALE }) =>
  MODE === 'live' && PROVIDER_TIME_SCALE !== 1
    ? { PROVIDER_TIME_SCALE: 'must be unset in live' }
    : {}

/** @throws ConfigurationError with one line for each fault of the file */
function readProviders({ MODE: mode, PROVIDERS_FILE: path }: Variables): ProvidersSource {
  if (path === undefined) return { mode, path, text: '', file: NO_PROVIDERS }
  const text = readFileSync(path, 'utf8')
  const parsed = parseProviders(text, mode, ADAPTERS)
  if ('value' in parsed) return { mode, path, text, file: parsed.value }
  const lines = parsed.faults.map((fault) => `PROVIDERS_FILE: ${faultText(fault)}`)
  throw new ConfigurationError(lines)
}

/** A secret signs for `manual`, or for an account whose provider sends the signed webhook. */
function senderFaults(secrets: readonly ProviderSecret[], { accounts }: ProvidersFile): string[] {
  const senders = accounts.filter(({ adapter }) => adapter === 'standard').map(({ name }) => name)
  const known = [MANUAL, ...senders]
  const unknown = secrets.map(({ provider }) => provider).filter((name) => !known.includes(name))
  return [...new Set(unknown)].map(
    (name) => `WEBHOOK_SECRETS must have secrets of ${known.join(', ')} only, and not of ${name}`,
  )
}

/**
 * The environment of the command that verifies stored webhooks.
 *
 * @throws ConfigurationError
 */
export function readVerificationEnv(source: NodeJS.ProcessEnv = process.env) {
  const variables = { ...databaseVariables, ...webhookVariables }
  const env = read(source, variables, checkDatabase, checkSecrets)
  return { ...env, active: secretsOf(env) ?? [], retired: retiredSecretsOf(env) ?? [] }
}

/**
 * The environment of the command that seals the secrets of endpoints again.
 *
 * @throws ConfigurationError
 */
export function readResealEnv(source: NodeJS.ProcessEnv = process.env) {
  const WEBHOOK_ENCRYPTION_KEYS_DIR = str({ desc: 'Folder with the keys' })
  const variables = { ...databaseVariables, WEBHOOK_ENCRYPTION_KEYS_DIR }
  return read(source, variables, checkDatabase, checkSealKeys('WEBHOOK_ENCRYPTION_KEYS_DIR'))
}

/**
 * The environment of the command that erases personal data: the database, with the credentials that run migrations.
 *
 * @throws ConfigurationError
 */
export function readErasureEnv(source: NodeJS.ProcessEnv = process.env) {
  const variables = {
    ...databaseVariables,
    ...contactVariables,
    ...erasureVariables,
    ERASE_PHONE: str({ default: undefined, desc: 'Phone of the payer whose data is erased' }),
    ERASE_EMAIL: str({ default: undefined, desc: 'Email of the payer whose data is erased' }),
  }
  const env = read(source, variables, checkDatabase, checkErasureKeys)
  return { ...env, keys: erasureKeysOf(env) }
}

function secretsOf(env: WebhookVariables): ProviderSecret[] | undefined {
  if (!env.WEBHOOK_SECRETS_FILE) return env.WEBHOOK_SECRETS
  return parseSecrets(readFileSync(env.WEBHOOK_SECRETS_FILE, 'utf8'))
}

function retiredSecretsOf({ WEBHOOK_RETIRED_SECRETS_FILE: path }: WebhookVariables) {
  return path ? parseSecrets(readFileSync(path, 'utf8')) : []
}
