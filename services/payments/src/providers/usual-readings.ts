import { retryAfterOf } from './json-answer.js'
import type { Answer, CallResult, NoNews, NotSent, SendReading, Succeeded } from './reading.js'

/** What answers mean that all HTTP APIs have. */

type Unanswered = Exclude<CallResult, Answer>

/** A request for money without a complete answer. */
export function unanswered({ phase }: Unanswered): SendReading {
  if (phase === 'sent') return { kind: 'may_have_happened' }
  return { kind: 'not_sent', failure: 'provider_unavailable', retry: true }
}

/** A refusal of the account's credentials, settings or rights. */
export const MISCONFIGURED = {
  kind: 'not_sent',
  failure: 'provider_configuration',
  retry: false,
  flags: ['configuration'],
} as const satisfies NotSent

/** The answer 429 to a request for money. */
export function limitedSend({ headers }: Answer, providerCode: string | undefined): NotSent {
  return {
    kind: 'not_sent',
    failure: 'provider_unavailable',
    retry: true,
    providerCode,
    flags: ['rate_limited'],
    retryAfterSeconds: retryAfterOf(headers),
  }
}

/** The answer 429 to a query. */
export function limitedQuery({ headers }: Answer, providerCode: string | undefined): NoNews {
  const retryAfterSeconds = retryAfterOf(headers)
  return { kind: 'no_news', providerCode, flags: ['rate_limited'], retryAfterSeconds }
}

/** Whether a success states what is compared with the payment. */
export function statesMoney({ amount, currency }: Pick<Succeeded, 'amount' | 'currency'>): boolean {
  return amount !== undefined && currency !== undefined
}
