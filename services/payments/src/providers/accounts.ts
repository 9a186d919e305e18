import type { PaymentMethod } from '../money/payment-methods.js'
import type { AccountFacts } from './adapter.js'

/** The accounts at providers, as PROVIDERS_FILE states them. */

/** `draining`: no new payments; queries and callbacks continue. `closed`: no attempt of the account is open. */
export const ACCOUNT_STATES = ['active', 'draining', 'closed'] as const
export type AccountState = (typeof ACCOUNT_STATES)[number]

/** The provider of payments for which nothing is sent. */
export const MANUAL = 'manual'

/** Names with another meaning: the route of the signed webhook, payments without a provider, and routing. */
export const RESERVED_NAMES: readonly string[] = ['provider', MANUAL, 'route']

export const ANY_MERCHANT = '*'

export interface ProviderAccount extends AccountFacts {
  /** The name of an adapter of registry.ts. */
  readonly adapter: string
  readonly state: AccountState
  /** Without a slash at its end. */
  readonly baseUrl: string
  /** Users whose payments the account takes, or `*`. */
  readonly merchants: readonly string[]
  /** Countries whose phone numbers the account can charge. */
  readonly phoneCountries: readonly string[]
  /** A hint for routing, such as `+25677`. Other numbers of the country are accepted. */
  readonly phonePrefixes: readonly string[]
  readonly methods: readonly PaymentMethod[]
  readonly limits: AccountLimits
  /** Scheme, host and port of callback URLs; without it, the provider gets none. */
  readonly callbackOrigin?: string
  /** IANA name: the zone of times in the provider's statements. */
  readonly timeZone: string
  readonly proxyUrl?: string
  /** PEM, with certificate and private key. */
  readonly clientCertFile?: string
  readonly caFile?: string
  /** The file of each credential by name: one set, or two during a rotation, the newest first. */
  readonly credentialFiles: readonly Readonly<Record<string, string>>[]
  /** What the adapter's `parseSettings` returned. */
  readonly settings: unknown
}

export interface AccountLimits {
  /** In minor units of ISO 4217. */
  readonly minMinor: bigint
  readonly maxMinor: bigint
  /** Requests for money in any second, over all replicas. */
  readonly rate: number
  /** How many of these may leave at once. */
  readonly burst: number
  /** Queries in any second, over all replicas. */
  readonly pollRate: number
  /** Requests without an answer yet, in each replica. */
  readonly maxInFlight: number
}

export interface ProvidersFile {
  /** `manual`, `route`, or the name of an account. */
  readonly defaultProvider: string
  readonly accounts: readonly ProviderAccount[]
}

/** Without PROVIDERS_FILE, nothing is sent. */
export const NO_PROVIDERS: ProvidersFile = { defaultProvider: 'manual', accounts: [] }

/** A token bucket: at most `burst` + `refillPerSecond` tokens leave it in any sliding second. */
export interface TokenBucket {
  readonly burst: number
  readonly refillPerSecond: number
}

/** The bucket that keeps a limit in any sliding second, of which `burst` may leave at once. */
export function bucketOf(perSecond: number, burst = defaultBurst(perSecond)): TokenBucket {
  return { burst, refillPerSecond: perSecond - burst }
}

/** A fifth: with MTN's limit of 10 queries a second, 8 charges a second are settled continuously. */
export function defaultBurst(perSecond: number): number {
  return Math.max(1, Math.floor(perSecond / 5))
}

/**
 * The URL that a provider calls; undefined if it gets none.
 *
 * @param attempt id and secret part of an attempt's URL
 */
export function callbackUrlOf(
  { name, callbackOrigin }: Pick<ProviderAccount, 'name' | 'callbackOrigin'>,
  url: 'attempt' | 'account' | 'webhook' | 'none',
  attempt: { readonly id: string; readonly nonce: string },
): string | undefined {
  if (callbackOrigin === undefined || url === 'none') return undefined
  const webhooks = `${callbackOrigin}/api/payments/webhook`
  if (url === 'webhook') return `${webhooks}/provider`
  return url === 'account'
    ? `${webhooks}/${name}`
    : `${webhooks}/${name}/${attempt.id}/${attempt.nonce}`
}
