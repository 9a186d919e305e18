import { Problem } from '@malipo/kit/http/problem'
import { PROBLEMS } from '../problems.js'

/** The state of a rate limit for one subject, such as an account or a network. */
export interface Quota {
  readonly isAllowed: boolean
  readonly remaining: number
  /** Seconds until more is available; 0 if nothing is consumed. */
  readonly nextSeconds: number
  /** The headers of draft-ietf-httpapi-ratelimit-headers-10. */
  readonly headers: Readonly<Record<string, string>>
}

interface Policy {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
}

export function newQuota(
  { name, limit, windowSeconds }: Policy,
  { isAllowed, remaining, nextSeconds }: Omit<Quota, 'headers'>,
): Quota {
  const headers = {
    'ratelimit-policy': `"${name}";q=${limit};w=${windowSeconds}`,
    ratelimit: `"${name}";r=${remaining};t=${nextSeconds}`,
  }
  return { isAllowed, remaining, nextSeconds, headers }
}

/** Of limits that apply together, the one that rejects the request, or that has the least left. */
export function tightest(quotas: readonly [Quota, ...Quota[]]): Quota {
  return quotas.reduce((a, b) => (isTighter(b, a) ? b : a))
}

function isTighter(a: Quota, b: Quota): boolean {
  if (a.isAllowed !== b.isAllowed) return b.isAllowed
  return a.remaining < b.remaining || (a.remaining === b.remaining && a.nextSeconds > b.nextSeconds)
}

export function tooManyAttempts({ nextSeconds, headers }: Quota): Problem {
  return new Problem(PROBLEMS.tooManyAttempts, 'Retry after the delay in Retry-After.', {
    retryAfterSeconds: Math.max(1, nextSeconds),
    headers,
  })
}
