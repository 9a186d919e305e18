import { expect, it } from 'vitest'
import { BodyMemory, MAX_BYTES, MAX_SHARE_BYTES, UNCOUNTED_BYTES } from './body-memory.js'

const SIZE = 100_000

/** Reserves bodies of 100 kB of a share until one is rejected. */
function fill(memory: BodyMemory, share: string) {
  const reservations = []
  for (;;) {
    const reservation = memory.reservation(() => share)
    if (!reservation.resize(SIZE)) return reservations
    reservations.push(reservation)
  }
}

it('limits the bodies of a share, and not those of other shares', () => {
  const memory = new BodyMemory()
  expect(fill(memory, 'a')).toHaveLength(MAX_SHARE_BYTES / SIZE)
  expect(memory.reservation(() => 'b').resize(SIZE)).toBe(true)
})

it('limits the bodies of all shares', () => {
  const memory = new BodyMemory()
  const filled = Array.from({ length: 8 }, (_, i) => fill(memory, `${i}`).length)
  expect(filled.reduce((sum, count) => sum + count)).toBe(MAX_BYTES / SIZE)
})

it('has its own limit if it gets one', () => {
  const memory = new BodyMemory(3 * SIZE)
  expect(fill(memory, 'a')).toHaveLength(3)
  expect(memory.reservation(() => 'b').resize(SIZE)).toBe(false)
})

it('does not count small bodies', () => {
  const memory = new BodyMemory()
  fill(memory, 'a')
  expect(memory.reservation(() => 'a').resize(UNCOUNTED_BYTES)).toBe(true)
})

it('counts a growing body once, and none that was released', () => {
  const memory = new BodyMemory()
  const first = memory.reservation(() => 'a')
  for (const size of [10_000, 40_000, SIZE]) expect(first.resize(size)).toBe(true)
  const others = fill(memory, 'a')
  expect(others).toHaveLength(MAX_SHARE_BYTES / SIZE - 1)
  for (const reservation of [first, ...others, first]) reservation.release()
  expect(fill(memory, 'a')).toHaveLength(MAX_SHARE_BYTES / SIZE)
})
