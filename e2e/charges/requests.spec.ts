import { expect, it } from 'vitest'
import { resendOf, type SentAttempt } from './requests.ts'

const attempt = (own: Partial<SentAttempt>): SentAttempt => ({
  claimedAt: [1_000],
  requestedAt: [1_100],
  repeats: 0,
  ...own,
})

it('a claim allows one request', () => {
  expect(resendOf(attempt({}), [])).toBeUndefined()
  expect(resendOf(attempt({ requestedAt: [] }), [])).toBeUndefined()
  expect(resendOf(attempt({ requestedAt: [1_100, 1_200] }), [])).toBeDefined()
  const busy = attempt({ claimedAt: [1_000, 2_000], requestedAt: [1_100, 2_100] })
  expect(resendOf(busy, [])).toBeUndefined()
})

it('a charge that exists is never requested again', () => {
  const repeated = { claimedAt: [1_000, 2_000], requestedAt: [1_100, 2_100], repeats: 1 }
  expect(resendOf(attempt(repeated), [])).toBeDefined()
})

it('nothing is claimed or requested after the attempt is in doubt', () => {
  const claimed = { claimedAt: [1_000, 9_000], requestedAt: [1_100], doubtfulAt: 5_000 }
  expect(resendOf(attempt(claimed), [])).toBeDefined()
  const late = attempt({ requestedAt: [50_000], doubtfulAt: 33_000 })
  expect(resendOf(late, [])).toBeDefined()
  expect(resendOf(late, [{ from: 900, to: 20_000 }])).toBeDefined()
})

it('a request may be handled after the doubt if the simulator was down', () => {
  const held = attempt({ requestedAt: [50_000], doubtfulAt: 33_000 })
  expect(resendOf(held, [{ from: 900, to: 49_900 }])).toBeUndefined()
})
