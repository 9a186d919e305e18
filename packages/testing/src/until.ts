import { vi } from 'vitest'

/** Waits until a condition is true; throws after 20 seconds, which fails the test. */
export function until(condition: () => unknown): Promise<unknown> {
  return vi.waitUntil(condition, { timeout: 20_000, interval: 20 })
}
