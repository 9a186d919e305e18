import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Pacer } from './pacer.js'

const INTERVAL_MS = 10

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A pacer of two numbers in each interval, and the numbers that it has released. */
function pacer() {
  const released: number[] = []
  const paced = new Pacer<number>((number) => released.push(number), 2, INTERVAL_MS)
  const add = (...numbers: number[]) => numbers.forEach((number) => paced.add(number))
  return { paced, released, add }
}

it('releases the first items at once, and the others in their order and in later intervals', () => {
  const { released, add } = pacer()
  add(1, 2, 3, 4, 5)
  expect(released).toEqual([1, 2])
  vi.advanceTimersByTime(INTERVAL_MS)
  expect(released).toEqual([1, 2, 3, 4])
  add(6, 7)
  vi.advanceTimersByTime(INTERVAL_MS)
  expect(released).toEqual([1, 2, 3, 4, 5, 6])
  vi.advanceTimersByTime(INTERVAL_MS)
  expect(released).toEqual([1, 2, 3, 4, 5, 6, 7])
})

it('counts the items that it released at once', () => {
  const { released, add } = pacer()
  add(1)
  vi.advanceTimersByTime(INTERVAL_MS / 2)
  add(2, 3)
  expect(released).toEqual([1, 2])
  vi.advanceTimersByTime(INTERVAL_MS / 2)
  expect(released).toEqual([1, 2, 3])
})

it('does not release an item that was removed', () => {
  const { paced, released, add } = pacer()
  add(1, 2, 3, 4)
  paced.remove(3)
  vi.advanceTimersByTime(INTERVAL_MS)
  expect(released).toEqual([1, 2, 4])
})

it('has no timer while it has nothing to do, and works again later', () => {
  const { released, add } = pacer()
  add(1, 2, 3)
  vi.advanceTimersByTime(10 * INTERVAL_MS)
  expect(vi.getTimerCount()).toBe(0)
  add(4, 5, 6)
  expect(released).toEqual([1, 2, 3, 4, 5])
})
