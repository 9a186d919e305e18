import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { ConfigurationError } from '@malipo/kit/config/env'
import { Ajv } from 'ajv'
import { MTN_ENVIRONMENTS, type MtnEnvironment } from './mtn-momo/environments.js'

/** The clients of each provider, from ACCOUNTS_FILE. */
export interface Accounts {
  readonly mtnMomo: readonly MtnAccount[]
  readonly airtelMoney: readonly AirtelAccount[]
  readonly standard: readonly StandardAccount[]
}

export interface MtnAccount {
  readonly userId: string
  readonly apiKey: string
  readonly subscriptionKey: string
  readonly targetEnvironment: MtnEnvironment
  /** `new` is `momoapi.momo.africa`. */
  readonly platform: 'legacy' | 'new'
  /** The registered host of callbacks, with or without a port. */
  readonly callbackHost: string
  readonly callbackMethod: 'POST' | 'PUT'
  readonly tokenSeconds: number
  /** The lifetime that a response with a token states; by default the real one. */
  readonly tokenStatedSeconds?: number
  /** How long the response to a token request takes; not scaled. */
  readonly tokenDelayMs: number
  readonly queriesPerSecond: number
}

export interface AirtelAccount {
  readonly clientId: string
  readonly clientSecret: string
  /** ISO 3166-1. */
  readonly country: string
  readonly currency: string
  readonly callbackUrl?: string
  /** Signs the hash of callbacks; without it, callbacks have none. */
  readonly callbackKey?: string
  readonly tokenSeconds: number
  readonly queriesPerSecond: number
}

export interface StandardAccount {
  readonly name: string
  readonly apiKey: string
  readonly currency: string
  /** The host to which webhooks may be sent, with or without a port. */
  readonly callbackHost?: string
  /** `whsec_` and base64. */
  readonly webhookSecret?: string
  readonly queriesPerSecond: number
}

const text = { type: 'string', minLength: 1, maxLength: 512 } as const
const currency = { type: 'string', pattern: '^[A-Z]{3}$' } as const
const seconds = (standard: number) => ({
  type: 'integer',
  minimum: 1,
  maximum: 86_400,
  default: standard,
})
const rate = (standard: number) => ({
  type: 'integer',
  minimum: 1,
  maximum: 10_000,
  default: standard,
})
const list = (properties: object, required: readonly string[]) => ({
  type: 'array',
  maxItems: 100,
  default: [],
  items: { type: 'object', additionalProperties: false, properties, required },
})

/** MTN's limit is 10 status queries a second; of the others, none is known. */
const MTN_QUERIES_PER_SECOND = 10
const NO_LIMIT = 10_000

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    mtnMomo: list(
      {
        userId: text,
        apiKey: text,
        subscriptionKey: text,
        targetEnvironment: { enum: Object.keys(MTN_ENVIRONMENTS) },
        platform: { enum: ['legacy', 'new'], default: 'legacy' },
        callbackHost: text,
        callbackMethod: { enum: ['POST', 'PUT'], default: 'POST' },
        tokenSeconds: seconds(3_600),
        tokenStatedSeconds: { type: 'integer', minimum: 1, maximum: 86_400 },
        tokenDelayMs: { type: 'integer', minimum: 0, maximum: 60_000, default: 0 },
        queriesPerSecond: rate(MTN_QUERIES_PER_SECOND),
      },
      ['userId', 'apiKey', 'subscriptionKey', 'targetEnvironment', 'callbackHost'],
    ),
    airtelMoney: list(
      {
        clientId: text,
        clientSecret: text,
        country: { type: 'string', pattern: '^[A-Z]{2}$' },
        currency,
        callbackUrl: { type: 'string', pattern: '^https?://[^\\s]+$' },
        callbackKey: text,
        tokenSeconds: seconds(180),
        queriesPerSecond: rate(NO_LIMIT),
      },
      ['clientId', 'clientSecret', 'country', 'currency'],
    ),
    standard: list(
      {
        name: text,
        apiKey: text,
        currency,
        callbackHost: text,
        webhookSecret: { type: 'string', pattern: '^whsec_[A-Za-z0-9+/]+={0,2}$' },
        queriesPerSecond: rate(NO_LIMIT),
      },
      ['name', 'apiKey', 'currency'],
    ),
  },
}

/** @throws ConfigurationError that names the field */
export function readAccounts(path: string): Accounts {
  const content = readJson(path)
  const ajv = new Ajv({ useDefaults: true, strict: false })
  if (ajv.validate<Accounts>(SCHEMA, content)) return content
  // Without values, which may be secrets.
  const lines = ajv.errors?.map(({ instancePath, message }) => `${instancePath} ${message}`) ?? []
  throw new ConfigurationError(lines.map((line) => `ACCOUNTS_FILE ${line.trim()}`))
}

function readJson(path: string): unknown {
  const text = readFileSync(path, 'utf8')
  try {
    return JSON.parse(text, (_, value: unknown) => withFiles(value, dirname(path)))
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw fault('must be JSON')
  }
}

/** Replaces each field `…File` of an object by the content of the file that it names, without a line break at its end. */
function withFiles(value: unknown, folder: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const fields = Object.entries(value as Record<string, unknown>).map(([name, content]) => {
    if (!name.endsWith('File') || typeof content !== 'string') return [name, content] as const
    const field = name.slice(0, -'File'.length)
    if (field in value) throw fault(`${name} must not be set with ${field}`)
    return [field, readCredential(name, resolve(folder, content))] as const
  })
  return Object.fromEntries(fields)
}

function readCredential(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch {
    throw fault(`${name} must name a file that can be read`)
  }
}

function fault(message: string): ConfigurationError {
  return new ConfigurationError([`ACCOUNTS_FILE ${message}`])
}
