import { measureClock } from '@malipo/kit/postgres/clock'
import { afterEach, expect, it, vi } from 'vitest'
import type { CachedToken } from './cached-token.js'
import { LocalTokenCache } from './local-token-cache.js'
import { SessionStates } from './session-states.js'

const actual = Date.now.bind(Date)
const measure = () => measureClock((async () => [{ ms: String(actual()) }]) as never)
afterEach(async () => {
  vi.restoreAllMocks()
  await measure()
})

it.each([-3_600_000, 3_600_000])(
  'uses an entry of a token that the database’s clock shows as unexpired, with a clock off by %d ms',
  async (offsetMs) => {
    vi.spyOn(Date, 'now').mockImplementation(() => actual() + offsetMs)
    await measure()
    const proven = { proof: 'proof', dataset: 'dataset' }
    const token = { hash: 'hash', sid: 'sid' }
    const entry: CachedToken = {
      ...proven,
      sub: 'sub',
      merchant: 'sub',
      sid: token.sid,
      scope: 'payments:read',
      exp: actual() / 1000 + 600,
      at: 1_000,
    }
    const cache = new LocalTokenCache({
      sessions: new SessionStates(),
      seal: { open: () => entry },
      revocationMessages: { isLive: true },
      times: { ttlMs: 60_000, staleMs: 900_000 },
    })
    const read = {
      redisNowMs: 1_000,
      sentAt: performance.now(),
      dataset: proven.dataset,
      entry: 'signed',
      session: { proof: proven.proof },
    }
    expect(cache.observe(token, read).state).toBe('fresh')
    expect(cache.get(token.hash)?.caller.id).toBe('sub')
  },
)
