/**
 * How much bcrypt a failed login does: always 2^cost rounds, whether the account exists, and whatever
 * the cost of its hash. The time of a 401 then says nothing about the account.
 */

/** The cost that a bcrypt hash was made with. */
export function costOf(hash: string): number {
  return Number(hash.slice(4, 6))
}

/** A well-formed hash that no password is known for: 22 characters of salt, 31 of digest. */
export function dummyHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'K'.repeat(21)}u${'.'.repeat(31)}`
}

/**
 * The dummies to compare against beside the stored hash, so that together they are 2^cost rounds: one of
 * the full cost when there is no account, and for a hash of an older, lower cost c those of c, c + 1, …,
 * cost - 1, since 2^c + (2^c + … + 2^(cost-1)) = 2^cost. A hash that costs more than is configured
 * now can't be hidden; it goes away with its owner's next login.
 */
export function remainingWork(stored: string | undefined, cost: number): string[] {
  if (stored === undefined) return [dummyHash(cost)]
  const least = costOf(stored)
  return Array.from({ length: Math.max(0, cost - least) }, (_, i) => dummyHash(least + i))
}
