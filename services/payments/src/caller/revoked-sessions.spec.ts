import { beforeEach, describe, expect, it } from 'vitest'
import { RevokedSessions } from './revoked-sessions.js'

describe('revoked sessions', () => {
  let sessions: RevokedSessions
  beforeEach(() => {
    sessions = new RevokedSessions()
  })
  const accept = (sid: string, at: number) => (sessions.stateOf(sid).acceptedAt = at)

  it('stay revoked', () => {
    accept('a', 1_000)
    expect(sessions.isRevoked('a')).toBe(false)
    sessions.revoke('a', 2_000)
    expect(sessions.isRevoked('a')).toBe(true)
    expect(sessions.stateOf('a').revokedAt).toBe(2_000)
  })

  it('include sessions that were never used at this replica', () => {
    sessions.revoke('a', 2_000)
    expect(sessions.isRevoked('a')).toBe(true)
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
    expect(sessions.isRevoked('a')).toBe(true)
  })

  it('are bounded in number', () => {
    sessions.revoke('first', 1)
    for (let n = 0; n < 20_000; n++) sessions.stateOf(String(n))
    expect(sessions.isRevoked('first')).toBe(false)
  })
})
