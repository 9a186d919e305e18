import { vi } from 'vitest'

/** Waits until a condition is true; fails the test after 20 seconds. */
export function until(condition: () => unknown): Promise<unknown> {
  return vi.waitUntil(condition, { timeout: 20_000, interval: 20 })
}
