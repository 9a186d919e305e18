import { vi } from 'vitest'

/** Resolves when something has become so; fails the test when it has not after a time that is ample. */
export function until(condition: () => unknown): Promise<unknown> {
  return vi.waitUntil(condition, { timeout: 20_000, interval: 20 })
}
