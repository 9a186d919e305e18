import type { NoNews, NotSent } from '../reading.js'
import type { GrantFailure } from './held-grant.js'

/** What a call means whose grants could not be had: nothing was sent, and the same request may succeed later. */

/** @param now ms, by the clock of the failure */
export function sendWithoutAccess(failure: GrantFailure, now: number): NotSent {
  const isRefused = failure.kind === 'refused'
  return {
    kind: 'not_sent',
    failure: isRefused ? 'provider_configuration' : 'provider_unavailable',
    retry: true,
    ...statedBy(failure, now),
  }
}

/** @param now ms, by the clock of the failure */
export function queryWithoutAccess(failure: GrantFailure, now: number): NoNews {
  return { kind: 'no_news', ...statedBy(failure, now) }
}

function statedBy({ kind, providerCode, retryAt }: GrantFailure, now: number) {
  return {
    providerCode,
    flags: kind === 'refused' ? (['configuration'] as const) : [],
    retryAfterSeconds: Math.max(0, Math.ceil((retryAt - now) / 1_000)),
  }
}
