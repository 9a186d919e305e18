import { beforeEach, describe, expect, it } from 'vitest'
import { SessionStates } from './session-states.js'

describe('the states of sessions', () => {
  let sessions: SessionStates
  beforeEach(() => {
    sessions = new SessionStates()
  })
  const accept = (sid: string, at: number) => (sessions.of(sid).acceptedAt = at)

  it('stay revoked', () => {
    accept('a', 1_000)
    expect(sessions.find('a')?.revokedAt).toBeUndefined()
    sessions.revoke('a', 2_000)
    expect(sessions.find('a')?.revokedAt).toBe(2_000)
  })

  it('include sessions that were never used at this replica', () => {
    sessions.revoke('a', 2_000)
    expect(sessions.find('a')?.revokedAt).toBe(2_000)
    expect(sessions.maxStalenessSeconds).toBe(0)
  })

  it('report the longest time from a revocation to a later acceptance', () => {
    for (const [sid, acceptedAt] of [
      ['a', 10_250],
      ['b', 10_900],
      ['c', 9_000],
    ] as const) {
      accept(sid, acceptedAt)
      sessions.revoke(sid, 10_000)
    }
    expect(sessions.maxStalenessSeconds).toBe(0.9)
  })

  it('ignore a second revocation of the same session', () => {
    accept('a', 10_100)
    sessions.revoke('a', 10_000)
    sessions.revoke('a', 5_000)
    expect(sessions.maxStalenessSeconds).toBe(0.1)
  })

  it('report no staleness if the time of the revocation is unknown', () => {
    accept('a', 10_000)
    sessions.revoke('a', 0)
    expect(sessions.maxStalenessSeconds).toBe(0)
    expect(sessions.find('a')?.revokedAt).toBe(0)
  })

  it('are bounded in number', () => {
    sessions.revoke('first', 1)
    for (let n = 0; n < 20_000; n++) sessions.of(String(n))
    expect(sessions.find('first')).toBeUndefined()
  })
})
