/** The cost of a bcrypt hash. */
export function costOf(hash: string): number {
  return Number(hash.slice(4, 6))
}

/** A well-formed bcrypt hash that matches no known password: 22 characters of salt, 31 of digest. */
export function dummyHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'K'.repeat(21)}u${'.'.repeat(31)}`
}

/**
 * The dummy hashes to compare in addition to the stored one. They make every failed login take 2^cost rounds,
 * so that the response time of a 401 reveals nothing about the account. Without an account it is one dummy of
 * the full cost. A hash of a lower cost c needs dummies of c, c + 1, …, cost - 1, since
 * 2^c + (2^c + … + 2^(cost-1)) = 2^cost. A higher cost cannot be hidden; the next login rehashes it.
 */
export function remainingWork(stored: string | undefined, cost: number): string[] {
  if (stored === undefined) return [dummyHash(cost)]
  const storedCost = costOf(stored)
  return Array.from({ length: Math.max(0, cost - storedCost) }, (_, i) => dummyHash(storedCost + i))
}
