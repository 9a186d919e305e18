import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLogger } from '../telemetry/logger.js'
import { DeadlineExceeded } from '../worker/batch.js'
import { DatabaseOutage } from './database-outage.js'
import { StatementTimeout } from './retry.js'

const coded = (code: string) => Object.assign(new Error(`error ${code}`), { code })

function outageWithLog(lockedBy: readonly string[] = []) {
  const lines: Record<string, unknown>[] = []
  const log = createLogger('kit', 'info', { write: (line) => lines.push(JSON.parse(line)) })
  return { outage: new DatabaseOutage(log, () => Promise.resolve(lockedBy)), lines }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('an outage of the database', () => {
  it('is one outage while some statements succeed and others fail', () => {
    const { outage, lines } = outageWithLog()
    for (let seconds = 0; seconds < 30; seconds++) {
      outage.failed(coded('53100'))
      vi.advanceTimersByTime(500)
      outage.succeeded()
      vi.advanceTimersByTime(500)
    }
    expect(lines).toHaveLength(1)
    vi.advanceTimersByTime(10_000)
    outage.succeeded()
    expect(lines).toMatchObject([{ err: { code: '53100' } }, { level: 'info', durationMs: 29_500 }])
  })

  it('lasts until the first success after the last failure, not until its end is logged', () => {
    const { outage, lines } = outageWithLog()
    outage.failed(coded('57P03'))
    vi.advanceTimersByTime(3_000)
    outage.succeeded()
    vi.advanceTimersByTime(9_000)
    outage.succeeded()
    expect(lines[1]).toMatchObject({ durationMs: 3_000 })
  })

  it('has its first cause, and the kind of the latest failure', () => {
    const { outage, lines } = outageWithLog()
    outage.failed(coded('ECONNREFUSED'))
    expect(outage.kind).toBe('unreachable')
    outage.failed(coded('28P01'))
    outage.failed(new DeadlineExceeded('too late'))
    outage.failed(new StatementTimeout(100))
    expect([outage.kind, outage.cause]).toEqual(['wrong password', coded('ECONNREFUSED')])
    expect(lines).toMatchObject([{ err: { code: 'ECONNREFUSED' } }])
    vi.advanceTimersByTime(3_000)
    expect(outage.kind).toBeUndefined()
  })

  it('of a lock is logged with the sessions that hold the lock', async () => {
    const { outage, lines } = outageWithLog(['pid 1', 'pid 2'])
    outage.failed(coded('55P03'))
    outage.failed(coded('55P03'))
    await vi.advanceTimersByTimeAsync(0)
    expect(lines).toMatchObject([{ err: { code: '55P03' }, lockedBy: ['pid 1', 'pid 2'] }])
    expect(outage.kind).toBe('locked')
  })
})
