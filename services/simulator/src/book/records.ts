import type { Behaviour } from '../timeline/choice.js'
import type { Mix } from '../timeline/mix.js'
import type { Personality } from '../timeline/personalities.js'
import type { Timeline } from '../timeline/timeline.js'

/** The lines of the book's file. A time is in ms since 1970. */

export const PROVIDERS = ['mtn-momo', 'airtel-money', 'standard'] as const
export type Provider = (typeof PROVIDERS)[number]

/** A request for money that the simulator accepted, or answered as if it had not. */
export interface Charge {
  readonly provider: Provider
  /** The client's account at the provider, by its id in the accounts file. */
  readonly account: string
  /** The reference that the client chose; unique for the provider. */
  readonly reference: string
  /** The amount that the merchant asked for, in major units. */
  readonly amount: string
  readonly currency: string
  /** Digits of E.164, without plus. */
  readonly phone: string
  /** Fields of the request that the provider returns in its responses. */
  readonly details: Readonly<Record<string, string>>
  readonly callbackUrl?: string
  readonly personality: Personality
  readonly acceptedAt: number
  readonly timeline: Timeline
}

export interface ScriptRecord extends Behaviour {
  readonly kind: 'script'
  readonly id: number
  readonly provider: Provider
  /** Without a reference, the script is for the next request. */
  readonly reference?: string
}

export type BookRecord =
  | {
      readonly kind: 'charge'
      readonly nth: number
      /** The script that was used. */
      readonly script?: number
      readonly charge: Charge
    }
  /** The next step of a timeline is done. */
  | { readonly kind: 'step'; readonly key: string; readonly at: number; readonly type: string }
  /** The result of a callback: the status of its response, or why there is none. */
  | {
      readonly kind: 'callback'
      readonly key: string
      readonly at: number
      readonly result: number | string
    }
  /** A request whose reference the book has already. */
  | { readonly kind: 'repeat'; readonly key: string; readonly at: number }
  /** A request that was rejected by a personality. */
  | {
      readonly kind: 'rejection'
      readonly key: string
      readonly at: number
      readonly script?: number
    }
  | ScriptRecord
  | { readonly kind: 'scripts-cleared' }
  | { readonly kind: 'mix'; readonly seed: string; readonly mix: Mix }
  | {
      readonly kind: 'api-user'
      readonly id: string
      readonly callbackHost: string
      readonly subscriptionKey: string
    }
  | { readonly kind: 'api-key'; readonly id: string; readonly apiKey: string }
  /** The key that decrypts the message signatures of an account; PKCS #8 in PEM. */
  | { readonly kind: 'message-key'; readonly account: string; readonly privateKey: string }

/** The key of a charge in the book. */
export function keyOf(provider: Provider, reference: string): string {
  return `${provider}:${reference}`
}

/** What a key is made of. */
export function partsOf(key: string): { provider: Provider; reference: string } {
  const end = key.indexOf(':')
  return { provider: key.slice(0, end) as Provider, reference: key.slice(end + 1) }
}
