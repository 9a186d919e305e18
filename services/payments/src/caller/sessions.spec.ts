import { beforeEach, describe, expect, it } from 'vitest'
import { Sessions } from './sessions.js'

describe('sessions', () => {
  let sessions: Sessions
  beforeEach(() => {
    sessions = new Sessions()
  })
  const use = (sid: string, at: number) => (sessions.of(sid).acceptedAt = at)

  it('live until they are ended, and then never again', () => {
    use('a', 1_000)
    expect(sessions.isOver('a')).toBe(false)
    sessions.end('a', 2_000)
    expect(sessions.isOver('a')).toBe(true)
    expect(sessions.of('a').overAt).toBe(2_000)
  })

  it('that were never used here can be ended too', () => {
    sessions.end('a', 2_000)
    expect(sessions.isOver('a')).toBe(true)
    expect(sessions.longestStalenessSeconds).toBe(0)
  })

  it('tell the longest time by which a token was accepted after its session’s end', () => {
    for (const [sid, usedAt] of [
      ['a', 10_250],
      ['b', 10_900],
      ['c', 9_000],
    ] as const) {
      use(sid, usedAt)
      sessions.end(sid, 10_000)
    }
    expect(sessions.longestStalenessSeconds).toBe(0.9)
  })

  it('are ended once: a mark that is seen after the announcement changes nothing', () => {
    use('a', 10_100)
    sessions.end('a', 10_000)
    sessions.end('a', 5_000)
    expect(sessions.longestStalenessSeconds).toBe(0.1)
  })

  it('tell nothing of an end whose time is not known', () => {
    use('a', 10_000)
    sessions.end('a', 0)
    expect(sessions.longestStalenessSeconds).toBe(0)
    expect(sessions.isOver('a')).toBe(true)
  })

  it('are bounded in number', () => {
    sessions.end('first', 1)
    for (let n = 0; n < 20_000; n++) sessions.of(String(n))
    expect(sessions.isOver('first')).toBe(false)
  })
})
