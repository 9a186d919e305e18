import { readFileSync } from 'node:fs'
import { checkDatabase } from '@malipo/kit/config/database-settings'
import { type Check, integer, readableFile, readEnv as read, url } from '@malipo/kit/config/env'
import { checkRedis } from '@malipo/kit/config/redis-settings'
import {
  checkHttp,
  contactVariables,
  databaseVariables,
  httpVariables,
  redisVariables,
} from '@malipo/kit/config/variables'
import { type CleanedEnv, EnvError, makeValidator } from 'envalid'
import { parseSecrets, type ProviderSecret } from './webhooks/signature.js'

const milliseconds = integer({ min: 0, max: 86_400_000 })

const SECRETS_FORM =
  'must be provider=secret, separated by commas, each secret 24 to 64 bytes in base64'

const providerSecrets = makeValidator<ProviderSecret[]>((input) => {
  const secrets = parseSecrets(input)
  if (secrets) return secrets
  throw new EnvError(SECRETS_FORM)
})

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
  WEBHOOK_SECRETS: providerSecrets({
    default: [],
    desc: 'Signing secrets of providers: `mtn=whsec_…,airtel=whsec_…`; to rotate a secret, list the provider twice',
  }),
  WEBHOOK_SECRETS_FILE: readableFile({
    default: undefined,
    desc: 'File with `WEBHOOK_SECRETS`, separated by commas or line breaks',
  }),
}

type Variables = CleanedEnv<typeof VARIABLES>

export type Env = Variables & { readonly providerSecrets: readonly ProviderSecret[] }

const checkSecretsFile: Check<Variables> = (env) =>
  secretsOf(env) ? {} : { WEBHOOK_SECRETS_FILE: SECRETS_FORM }

/** @throws ConfigurationError with one line for each variable that is missing or malformed */
export function readEnv(source: NodeJS.ProcessEnv = process.env): Env {
  const env = read(source, VARIABLES, checkHttp, checkDatabase, checkRedis, checkSecretsFile)
  return { ...env, providerSecrets: secretsOf(env) ?? [] }
}

function secretsOf(env: Variables): ProviderSecret[] | undefined {
  if (!env.WEBHOOK_SECRETS_FILE) return env.WEBHOOK_SECRETS
  return parseSecrets(readFileSync(env.WEBHOOK_SECRETS_FILE, 'utf8'))
}
