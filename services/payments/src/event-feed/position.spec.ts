import { encodeCursor } from '@malipo/kit/http/page'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { describe, expect, it } from 'vitest'
import { cursorOf, FEED_DAYS, positionOf, startOf } from './position.js'

const NOW = Date.parse('2026-11-30T12:00:00.123Z')
const DAY_MS = 86_400_000

describe('a cursor', () => {
  it.each([
    { after: newUuid(NOW) },
    { after: '4f0f2a4e-31f7-4c6a-9a3d-b5c7c2f0a111' },
    { from: new Date(NOW) },
    { from: new Date(0) },
  ])('encodes %o', (position) => {
    const cursor = cursorOf(position)
    expect(cursor).toMatch(/^[\w-]{22}$/)
    expect(positionOf(cursor)).toEqual(position)
  })

  it('of an event is its id', () => {
    const id = newUuid(NOW)
    expect(cursorOf({ after: id })).toBe(encodeCursor(id))
  })
})

describe('a start without a cursor', () => {
  const earliest = new Date(NOW - FEED_DAYS * DAY_MS)
  it.each([
    ['the earliest time', undefined, earliest],
    ['the earliest time instead of an earlier one', new Date(0), earliest],
    ['createdFrom', new Date(NOW - DAY_MS), new Date(NOW - DAY_MS)],
    ['createdFrom in the future', new Date(NOW + DAY_MS), new Date(NOW + DAY_MS)],
  ])('is %s', (_, createdFrom, from) => {
    expect(startOf(createdFrom, NOW)).toEqual({ from })
  })
})
