import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLogger } from './logger.js'
import { Outage } from './outage.js'

function outageWithLog() {
  const lines: unknown[] = []
  const log = createLogger('kit', 'debug', { write: (line) => lines.push(JSON.parse(line)) })
  return { outage: new Outage(log, 'the database'), lines }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('an outage', () => {
  it('is logged with its first cause, and with its length when it ends', () => {
    const { outage, lines } = outageWithLog()
    const diskFull = Object.assign(new Error('could not extend file'), { code: '53100' })
    outage.begin(diskFull)
    outage.begin(new Error('timeout'))
    vi.advanceTimersByTime(1_500)
    outage.end()
    expect(lines).toMatchObject([
      {
        level: 'warn',
        msg: 'the database is unavailable',
        err: { code: '53100', message: 'could not extend file' },
      },
      { level: 'info', msg: 'the database is available again', durationMs: 1_500 },
    ])
    expect(lines).toHaveLength(2)
  })

  it('is logged again when it begins again', () => {
    const { outage, lines } = outageWithLog()
    for (const cause of ['the first', 'the second']) {
      outage.begin(new Error(cause))
      expect(outage.isActive).toBe(true)
      outage.end()
      expect(outage.isActive).toBe(false)
    }
    expect(lines).toMatchObject([
      { err: { message: 'the first' } },
      { durationMs: 0 },
      { err: { message: 'the second' } },
      { durationMs: 0 },
    ])
  })

  it('that did not begin has no end', () => {
    const { outage, lines } = outageWithLog()
    outage.end()
    expect(lines).toEqual([])
  })
})
