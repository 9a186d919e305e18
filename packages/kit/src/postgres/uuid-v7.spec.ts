import fc from 'fast-check'
import { v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { minUuidAt, newUuid } from './uuid-v7.js'

const UUID = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/
const time = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })

it('a new UUID begins with its time and differs from others of that time', () => {
  const ids = Array.from({ length: 1_000 }, () => newUuid(Date.UTC(2026, 0)))
  expect(new Set(ids).size).toBe(1_000)
  for (const id of ids) {
    expect(id).toMatch(UUID)
    expect(id.startsWith('019b76da-a800-7')).toBe(true)
  }
})

describe('the smallest UUID of a time', () => {
  it('is greater than the ids made before, and not greater than those made from then on', () => {
    fc.assert(
      fc.property(time, fc.integer({ min: 1, max: 1e9 }), (at, gap) => {
        const msecs = at.getTime()
        expect(minUuidAt(at) <= v7({ msecs })).toBe(true)
        expect(minUuidAt(at) <= v7({ msecs: msecs + gap })).toBe(true)
        expect(minUuidAt(at) > v7({ msecs: Math.max(0, msecs - gap) }) || msecs === 0).toBe(true)
      }),
    )
  })

  it.each([
    [-1, '00000000-0000'],
    [-8.64e15, '00000000-0000'],
    [8.64e15, 'ffffffff-ffff'],
  ])('is clamped at %d ms to what a UUID can express', (msecs, start) => {
    expect(minUuidAt(new Date(msecs))).toBe(`${start}-7000-8000-000000000000`)
  })
})
