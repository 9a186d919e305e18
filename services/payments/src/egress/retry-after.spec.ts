import { expect, it } from 'vitest'
import { retryAfterSeconds } from './retry-after.js'

const NOW = Date.UTC(2026, 0, 31, 12, 0, 0)

it.each([
  ['0', 0],
  ['120', 120],
  [' 7 ', 7],
  ['86400', 86_400],
  ['86401', 86_400],
  ['9'.repeat(400), 86_400],
  ['Sat, 31 Jan 2026 12:00:30 GMT', 30],
  ['Sat, 31 Jan 2026 11:00:00 GMT', 0],
  ['Sun, 01 Feb 2026 12:00:00 GMT', 86_400],
  ['Fri, 31 Dec 9999 23:59:59 GMT', 86_400],
  [undefined, undefined],
  ['', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['soon', undefined],
  ['2026-01-31T12:00:30Z', undefined],
  ['Sat, 31 Jan 2026 12:00:30 +0100', undefined],
  ['Sat, 99 Foo 2026 12:00:30 GMT', undefined],
])('%j is %s seconds', (header, expected) => {
  expect(retryAfterSeconds(header, NOW)).toBe(expected)
})

it('rounds up a fraction of a second', () => {
  expect(retryAfterSeconds('Sat, 31 Jan 2026 12:00:30 GMT', NOW + 1)).toBe(30)
})
