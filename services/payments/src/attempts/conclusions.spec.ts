import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { airtelMoney } from '../providers/airtel-money/airtel-money.js'
import { FAILURE_CODES, FAILURES } from '../providers/failures.js'
import { mtnMomo } from '../providers/mtn-momo/mtn-momo.js'
import type { QueryReading, SendReading } from '../providers/reading.js'
import { afterQuery, afterSend, type CallFacts, type Pace } from './conclusions.js'
import { ATTEMPT_STATE_NAMES, isClosed } from './states.js'

const PACE: Pace = { scale: 1, queryMaxSeconds: 86_400, random: 0 }
const FACTS: CallFacts = {
  state: 'sending',
  amountMinor: 5_000n,
  currency: 'UGX',
  tries: 1,
  misses: 0,
  sentSecondsAgo: 5,
  sendSecondsLeft: 55,
}

const sent = (reading: SendReading, own: Partial<CallFacts> = {}, pace = PACE) =>
  afterSend(mtnMomo, { ...FACTS, ...own }, reading, pace)
const queried = (reading: QueryReading, own: Partial<CallFacts> = {}, adapter = mtnMomo as never) =>
  afterQuery(adapter, { ...FACTS, state: 'accepted', ...own }, reading, PACE)

const SUCCESS = { kind: 'succeeded', amount: '5000', currency: 'UGX', transactionId: 'T1' } as const

describe('after a request for money', () => {
  it('an accepted charge is queried after the first delay', () => {
    expect(sent({ kind: 'pending' })).toMatchObject({ to: 'accepted', nextSeconds: 10 })
  })

  it('R7: a result that may have happened is in doubt, and never sent again', () => {
    expect(sent({ kind: 'may_have_happened' })).toMatchObject({ to: 'in_doubt', nextSeconds: 10 })
  })

  it('R17: only a request that was surely not sent is sent again, under the same reference', () => {
    const notSent = { kind: 'not_sent', failure: 'provider_unavailable', retry: true } as const
    expect(sent(notSent)).toMatchObject({ to: 'queued', nextSeconds: 1 })
    expect(sent(notSent, { tries: 3 })).toMatchObject({ to: 'queued', nextSeconds: 5 })
    expect(sent(notSent, { tries: 6 })).toMatchObject({ to: 'not_sent' })
    expect(sent({ ...notSent, retry: false })).toMatchObject({
      to: 'not_sent',
      failure: 'provider_unavailable',
    })
  })

  it('is not sent again if that would be too late', () => {
    const notSent = { kind: 'not_sent', failure: 'provider_unavailable', retry: true } as const
    expect(sent(notSent, { sendSecondsLeft: 0.5 })).toMatchObject({ to: 'not_sent' })
    const limited = { ...notSent, retryAfterSeconds: 30 }
    expect(sent(limited)).toMatchObject({ to: 'queued', nextSeconds: 30 })
    expect(sent(limited, { sendSecondsLeft: 29 })).toMatchObject({ to: 'not_sent' })
  })

  it.each(FAILURE_CODES)('declined with %s is queried again if it may still succeed', (failure) => {
    const { aftercareSeconds } = sent({ kind: 'declined', failure })
    expect(aftercareSeconds).toBe(FAILURES[failure].mayStillSucceed ? 600 : undefined)
  })
})

describe('after a query', () => {
  it('R8: an amount or currency that differs is never a success, and needs an operator', () => {
    for (const other of [{ amount: '5001' }, { currency: 'KES' }, { amount: undefined }]) {
      expect(queried({ ...SUCCESS, ...other })).toMatchObject({
        to: undefined,
        attention: 'amount_mismatch',
        nextSeconds: expect.any(Number),
      })
    }
    expect(queried(SUCCESS)).toMatchObject({ to: 'succeeded', paidMinor: 5_000n })
    expect(queried({ ...SUCCESS, amount: '5e3' })).toMatchObject({ to: 'succeeded' })
  })

  it('a success without an amount is unverified, if the provider never states one', () => {
    const stated = { kind: 'succeeded', transactionId: 'T1' } as const
    const airtel = airtelMoney as never
    expect(queried(stated, {}, airtel)).toMatchObject({ to: 'succeeded', amountUnverified: true })
    expect(queried({ ...stated, amount: '1', currency: 'UGX' }, {}, airtel)).toMatchObject({
      attention: 'amount_mismatch',
    })
  })

  it('R9: an unknown reference never ends an attempt, and needs an operator after the time of visibility', () => {
    const unknown = { kind: 'unknown_there' } as const
    const early = queried(unknown, { misses: 9, sentSecondsAgo: 10 })
    expect(early).toMatchObject({ to: undefined, missed: true })
    expect(early.attention).toBeUndefined()
    const late = queried(unknown, { misses: 2, sentSecondsAgo: 86_400 })
    expect(late).toMatchObject({ to: undefined, attention: 'vanished', missed: true })
    expect(queried(unknown, { state: 'sending' })).toMatchObject({ to: 'in_doubt' })
  })

  it('R18: no attempt ends by the clock; after the last query it needs an operator', () => {
    const tries = mtnMomo.query?.scheduleSeconds.length
    for (const reading of [{ kind: 'pending' }, { kind: 'no_news' }] as const) {
      const last = queried(reading, { tries })
      expect(last).toMatchObject({ attention: 'deadline', nextSeconds: undefined })
      expect(['accepted', undefined]).toContain(last.to)
    }
  })

  it('an attempt that a lost replica sent is in doubt, whatever the answer does not say', () => {
    expect(queried({ kind: 'no_news' }, { state: 'sending' })).toMatchObject({ to: 'in_doubt' })
  })

  it('R19: a closed attempt is queried for a late success, at ten minutes, an hour and a day', () => {
    const state = 'declined'
    const failed = { kind: 'declined', failure: 'payer_timeout' } as const
    for (const reading of [{ kind: 'pending' }, failed, { kind: 'unknown_there' }] as const) {
      const next = (tries: number) => queried(reading, { state, tries }).nextSeconds
      expect([1, 2, 3].map(next)).toEqual([3_600, 86_400, undefined])
    }
    expect(queried({ kind: 'no_news' }, { state, tries: 3 }).attention).toBeUndefined()
    const declined = { kind: 'declined', failure: 'payer_timeout' } as const
    const confirmed = (tries: number) => queried(declined, { state, tries }).nextSeconds
    expect([1, 2, 3].map(confirmed)).toEqual([3_600, 86_400, undefined])
    expect(queried(SUCCESS, { state })).toMatchObject({ to: 'succeeded' })
  })

  it('waits at least as long as the provider asks for', () => {
    const limited = { kind: 'no_news', retryAfterSeconds: 1_000 } as const
    expect(queried(limited)).toMatchObject({ nextSeconds: 1_000 })
  })
})

it('whatever is read, delays are positive and bounded, and a final state has a reason', () => {
  const kinds = fc.constantFrom('succeeded', 'declined', 'pending', 'unknown_there', 'no_news')
  const reading = fc.record({
    kind: kinds,
    failure: fc.constantFrom(...FAILURE_CODES),
    amount: fc.option(fc.constantFrom('5000', '5001', 'x'), { nil: undefined }),
    currency: fc.option(fc.constantFrom('UGX', 'KES'), { nil: undefined }),
  })
  const facts = fc.record({
    state: fc.constantFrom(...ATTEMPT_STATE_NAMES),
    tries: fc.nat(200),
    misses: fc.nat(200),
    sentSecondsAgo: fc.double({ min: -60, max: 1e6, noNaN: true }),
  })
  const pace = fc.record({
    scale: fc.double({ min: 0.001, max: 1, noNaN: true }),
    queryMaxSeconds: fc.integer({ min: 1, max: 86_400 }),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  fc.assert(
    fc.property(reading, facts, pace, (read, own, how) => {
      const given = { ...FACTS, ...own }
      const followed = afterQuery(mtnMomo, given, read, how)
      const { to, nextSeconds, failure } = followed
      expect(nextSeconds ?? 0).toBeGreaterThanOrEqual(0)
      expect(nextSeconds ?? 0).toBeLessThanOrEqual(how.queryMaxSeconds)
      expect(failure !== undefined).toBe(to === 'declined')
      const ends = to !== undefined && isClosed(to) && !isClosed(given.state)
      expect(ends && nextSeconds !== undefined).toBe(false)
    }),
  )
})
