import { hash } from 'node:crypto'

/**
 * A number from 0 (inclusive) to 1 (exclusive) that depends on nothing but its arguments.
 *
 * @param purpose distinguishes the draws of one reference
 */
export function draw(seed: string, reference: string, purpose: string): number {
  const digits = hash('sha256', [seed, reference, purpose].join('\0'), 'hex').slice(0, 13)
  return Number.parseInt(digits, 16) / 2 ** 52
}
