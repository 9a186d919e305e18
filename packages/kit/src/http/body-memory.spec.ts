import { expect, it } from 'vitest'
import { BodyMemory, MAX_BYTES, MAX_NETWORK_BYTES, UNCOUNTED_BYTES } from './body-memory.js'

const SIZE = 100_000

/** Reserves bodies of 100 kB of an address until one is rejected. */
function fill(memory: BodyMemory, ip: string) {
  const reservations = []
  for (;;) {
    const reservation = memory.reservation({ ip })
    if (!reservation.resize(SIZE)) return reservations
    reservations.push(reservation)
  }
}

it('limits the bodies of a network, and not those of other networks', () => {
  const memory = new BodyMemory()
  expect(fill(memory, '192.0.2.1')).toHaveLength(MAX_NETWORK_BYTES / SIZE)
  expect(memory.reservation({ ip: '192.0.2.2' }).resize(SIZE)).toBe(true)
})

it('counts the addresses of an IPv6 /48 together', () => {
  const memory = new BodyMemory()
  fill(memory, '2001:db8:1:1::1')
  expect(memory.reservation({ ip: '2001:db8:1:2::1' }).resize(SIZE)).toBe(false)
})

it('limits the bodies of all networks', () => {
  const memory = new BodyMemory()
  const filled = Array.from({ length: 8 }, (_, i) => fill(memory, `192.0.2.${i}`).length)
  expect(filled.reduce((sum, count) => sum + count)).toBe(MAX_BYTES / SIZE)
})

it('does not count small bodies', () => {
  const memory = new BodyMemory()
  fill(memory, '192.0.2.1')
  expect(memory.reservation({ ip: '192.0.2.1' }).resize(UNCOUNTED_BYTES)).toBe(true)
})

it('counts a growing body once, and none that was released', () => {
  const memory = new BodyMemory()
  const first = memory.reservation({ ip: '192.0.2.1' })
  for (const size of [10_000, 40_000, SIZE]) expect(first.resize(size)).toBe(true)
  const others = fill(memory, '192.0.2.1')
  expect(others).toHaveLength(MAX_NETWORK_BYTES / SIZE - 1)
  for (const reservation of [first, ...others, first]) reservation.release()
  expect(fill(memory, '192.0.2.1')).toHaveLength(MAX_NETWORK_BYTES / SIZE)
})
