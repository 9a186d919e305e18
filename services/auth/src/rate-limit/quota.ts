/** The state of a rate limit as headers report it: draft-ietf-httpapi-ratelimit-headers-10. */
export interface Quota {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
  readonly remaining: number
  /** Seconds until the whole limit is available again. */
  readonly resetSeconds: number
}

export function quotaHeaders({ name, limit, windowSeconds, remaining, resetSeconds }: Quota) {
  return {
    'ratelimit-policy': `"${name}";q=${limit};w=${windowSeconds}`,
    ratelimit: `"${name}";r=${remaining};t=${resetSeconds}`,
  }
}
