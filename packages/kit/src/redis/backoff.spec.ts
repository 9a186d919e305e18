import { expect, it } from 'vitest'
import { Backoff } from './backoff.js'

it('doubles the pause up to a second', () => {
  const backoff = new Backoff()
  const pauses = Array.from({ length: 7 }, () => backoff.next(0, 0))
  expect(pauses).toEqual([50, 100, 200, 400, 800, 1_000, 1_000])
})

it('never grows beyond a second, however many attempts fail', () => {
  const backoff = new Backoff()
  for (let i = 0; i < 5_000; i++) backoff.next(0, 0)
  expect(backoff.next(0, 0)).toBe(1_000)
})

it('shortens a pause by at most a tenth at random', () => {
  expect(new Backoff().next(0, 1)).toBe(45)
})

it('is not reset by a connection that closes soon', () => {
  const backoff = new Backoff()
  const pauses = Array.from({ length: 6 }, (_, i) => {
    backoff.ready(i * 10_000)
    return backoff.next(i * 10_000 + 9_999, 0)
  })
  expect(pauses).toEqual([50, 100, 200, 400, 800, 1_000])
})

it('is reset by a connection that lasts', () => {
  const backoff = new Backoff()
  for (let i = 0; i < 6; i++) backoff.next(0, 0)
  backoff.ready(1_000)
  expect(backoff.next(11_000, 0)).toBe(50)
})
