import { describe, expect, it } from 'vitest'
import { expiryOf } from './expiry.js'

const now = Date.parse('2026-12-01T00:00:00.000Z')
const DAY_MS = 86_400_000
const live = { mode: 'live', now } as const
const sandbox = { mode: 'sandbox', now } as const
const inDays = (days: number) => new Date(now + days * DAY_MS)

describe('the expiry of a key', () => {
  it('is at most 365 days away in live', () => {
    expect(expiryOf(inDays(365), undefined, live)).toEqual({ expiresAt: inDays(365) })
    const late = new Date(now + 365 * DAY_MS + 1)
    expect(expiryOf(late, undefined, live)).toEqual({ message: 'must be at most 365 days away' })
    expect(expiryOf(late, undefined, sandbox)).toEqual({ expiresAt: late })
  })

  it('is in the future', () => {
    for (const mode of [live, sandbox]) {
      expect(expiryOf(new Date(now), undefined, mode)).toEqual({ message: 'must be in the future' })
      expect(expiryOf(new Date(now + 1), undefined, mode)).toHaveProperty('expiresAt')
    }
  })

  it.each([
    ['live', undefined, 365],
    ['live', null, 365],
    ['live', 30 * DAY_MS, 30],
    ['live', 400 * DAY_MS, 365],
    ['sandbox', undefined, null],
    ['sandbox', null, null],
    ['sandbox', 400 * DAY_MS, 400],
  ] as const)('in %s, after a key that lived for %j ms, is %j days away', (mode, before, days) => {
    const expiresAt = days === null ? null : inDays(days)
    expect(expiryOf(undefined, before, { mode, now })).toEqual({ expiresAt })
  })
})
