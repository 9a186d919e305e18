import { afterEach, describe, expect, it, vi } from 'vitest'
import { clockOffsetMs, correctedOffset, databaseNow, measureClock } from './clock.js'
import type { Run } from './statement.js'
import { newUuid } from './uuid-v7.js'

describe('the offset', () => {
  it.each([
    ['stays within the bounds of the round trip', 0, 10, 5, 0],
    ['stays during a slow round trip', 3, 5_000, 4_000, 3],
    ['of a clock that is behind is replaced by the middle', 0, 9, 300_005, 300_000],
    ['of a clock that is ahead is replaced by the middle', 0, 9, -300_005, -300_010],
    ['follows a clock that was set right', 300_000, 9, 5, 0],
  ])('%s', (_, offset, receivedAt, databaseAt, expected) => {
    expect(correctedOffset(offset, { sentAt: 0, receivedAt, databaseAt })).toBe(expected)
  })
})

describe('a process whose clock is 5 minutes behind', () => {
  const read = vi.fn<() => number>()
  const run = (async () => [{ ms: String(read()) }]) as unknown as Run
  const actual = Date.now.bind(Date)
  afterEach(async () => {
    vi.restoreAllMocks()
    read.mockImplementation(actual)
    await measureClock(run)
  })

  it('has the database’s time in ids, after it was measured', async () => {
    vi.spyOn(Date, 'now').mockImplementation(() => actual() - 300_000)
    read.mockImplementation(actual)
    await measureClock(run)
    expect(Math.abs(databaseNow() - actual())).toBeLessThan(1_000)
    const ms = Number.parseInt(newUuid().replaceAll('-', '').slice(0, 12), 16)
    expect(Math.abs(ms - actual())).toBeLessThan(1_000)
  })

  it('ignores a round trip during which its clock was set', async () => {
    vi.spyOn(Date, 'now').mockReturnValueOnce(0)
    read.mockImplementation(actual)
    const before = clockOffsetMs()
    await measureClock(run)
    expect(clockOffsetMs()).toBe(before)
  })
})
