import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { InFlight } from './in-flight.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const PERIOD_MS = 100

it('counts requests in total and by caller until they complete', () => {
  const inFlight = new InFlight(PERIOD_MS)
  const admissions = ['a', 'a', 'b'].map((caller) => inFlight.enter(caller))
  expect([inFlight.total, inFlight.of('a'), inFlight.of('b')]).toEqual([3, 2, 1])
  admissions[0]?.leave()
  expect([inFlight.total, inFlight.of('a')]).toEqual([2, 1])
})

it('counts a request that leaves twice once', () => {
  const inFlight = new InFlight(PERIOD_MS)
  const [first] = [inFlight.enter('a'), inFlight.enter('a')]
  first.leave()
  first.leave()
  expect([inFlight.total, inFlight.of('a')]).toEqual([1, 1])
})

it('counts a request for at least one period and at most two', () => {
  const inFlight = new InFlight(PERIOD_MS)
  const advance = () => {
    vi.advanceTimersByTime(PERIOD_MS)
    inFlight.expire(performance.now())
  }
  const old = inFlight.enter('a')
  advance()
  inFlight.enter('a')
  expect(inFlight.of('a')).toBe(2)
  advance()
  expect([inFlight.total, inFlight.of('a')]).toEqual([1, 1])
  old.leave()
  expect([inFlight.total, inFlight.of('a')]).toEqual([1, 1])
  advance()
  expect([inFlight.total, inFlight.of('a')]).toEqual([0, 0])
})

it('counts no request after a pause of two periods', () => {
  const inFlight = new InFlight(PERIOD_MS)
  inFlight.enter('a')
  vi.advanceTimersByTime(2 * PERIOD_MS)
  inFlight.expire(performance.now())
  expect(inFlight.total).toBe(0)
})

it('counts a request that is held neither in flight nor open, until it resumes', () => {
  const inFlight = new InFlight(PERIOD_MS)
  const held = inFlight.enter('a')
  inFlight.enter('b')
  const counts = () => [inFlight.total, inFlight.of('a'), inFlight.open]
  for (const hold of [1, 2]) {
    held.hold()
    expect([hold, ...counts()]).toEqual([hold, 1, 0, 1])
  }
  vi.advanceTimersByTime(10 * PERIOD_MS)
  for (const resume of [1, 2]) {
    held.resume()
    expect([resume, ...counts()]).toEqual([resume, 1, 1, 2])
  }
  held.complete()
  expect(counts()).toEqual([0, 0, 1])
})

it('does not count the completion of a request that is held', () => {
  const inFlight = new InFlight(PERIOD_MS)
  const held = inFlight.enter('a')
  held.hold()
  held.complete()
  vi.advanceTimersByTime(PERIOD_MS)
  expect([inFlight.open, inFlight.completedPerMs(performance.now())]).toEqual([0, 0])
})

it('measures how many requests complete per millisecond', () => {
  const inFlight = new InFlight(PERIOD_MS)
  for (let i = 0; i < 30; i++) inFlight.complete()
  vi.advanceTimersByTime(PERIOD_MS)
  inFlight.expire(performance.now())
  expect(inFlight.completedPerMs(performance.now())).toBe(0.3)
  vi.advanceTimersByTime(PERIOD_MS / 2)
  expect(inFlight.completedPerMs(performance.now())).toBe(0.2)
  vi.advanceTimersByTime(PERIOD_MS)
  inFlight.expire(performance.now())
  expect(inFlight.completedPerMs(performance.now())).toBe(0)
})
