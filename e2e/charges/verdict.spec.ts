import { describe, expect, it } from 'vitest'
import { type BookCharge, faultOf, isSettled, type Outcome, type StoredPayment } from './verdict.ts'

const PAID: Outcome = { status: 'paid', amount: '5000' }
const DECLINED: Outcome = { status: 'declined' }
const PENDING: Outcome = { status: 'pending' }

function charge(
  outcome: Outcome,
  {
    reported = outcome.status,
    provider = 'mtn-momo',
    before = [],
  }: { reported?: string; provider?: string; before?: Outcome[] } = {},
): BookCharge {
  const steps = [...before, outcome].map((each) => ({ type: 'outcome', outcome: each }))
  return { amount: '5000', provider, end: { outcome, reported }, steps }
}

const payment = (status: string, own: Partial<StoredPayment> = {}): StoredPayment => ({
  status,
  needsAttention: false,
  hasLateSuccess: false,
  attemptState: { SUCCESS: 'succeeded', FAILED: 'declined' }[status] ?? 'in_doubt',
  isDue: false,
  ...own,
})
const flagged = payment('PENDING', { needsAttention: true })
const late = payment('FAILED', { needsAttention: true, hasLateSuccess: true })
const notSent = payment('FAILED', { attemptState: 'not_sent' })
const stuck = payment('PENDING')

const wrongAmount = charge({ status: 'paid', amount: '5001' })
const unverified = charge({ status: 'paid', amount: '5001' }, { provider: 'airtel-money' })
const lateCharge = charge(PAID, { before: [DECLINED] })

/** All that a payment may be, and what of it is right. */
const ALL = {
  SUCCESS: payment('SUCCESS'),
  FAILED: payment('FAILED'),
  flagged,
  late,
  notSent,
  stuck,
}
describe.each([
  ['paid', charge(PAID), ['SUCCESS']],
  ['paid after it was declined', lateCharge, ['SUCCESS', 'late']],
  ['paid, and never reported', charge(PAID, { reported: 'unknown' }), ['flagged']],
  ['never reported', charge(PENDING, { reported: 'unknown' }), ['flagged']],
  ['paid with another amount', wrongAmount, ['flagged']],
  ['paid with another amount that is not stated', unverified, ['SUCCESS']],
  ['declined', charge(DECLINED), ['FAILED']],
  ['never decided', charge(PENDING), ['flagged']],
  ['missing', undefined, ['notSent', 'flagged']],
])('a charge that is %s', (_, book, right) => {
  it.each(Object.entries(ALL))('is right or wrong with a payment that is %s', (name, stored) => {
    const fault = faultOf(stored, { charge: book, rejections: 0 })
    expect(fault === undefined).toBe(right.includes(name))
  })
})

it('a charge that the provider refused with a final code may be declined', () => {
  expect(faultOf(ALL.FAILED, { rejections: 1 })).toBeUndefined()
  expect(faultOf(ALL.FAILED, { rejections: 0 })).toBeDefined()
})

it('an undecided charge needs no attention while queries are due', () => {
  expect(faultOf({ ...stuck, isDue: true }, { charge: charge(PENDING), rejections: 0 })).toBe(
    undefined,
  )
})

it('a payment is settled when nothing is due that can change it', () => {
  const paid = { charge: charge(PAID), rejections: 0 }
  expect(isSettled(ALL.SUCCESS, paid)).toBe(true)
  expect(isSettled(stuck, paid)).toBe(false)
  const declined = { charge: charge(DECLINED), rejections: 0 }
  expect(isSettled({ ...ALL.FAILED, isDue: true }, declined)).toBe(false)
  expect(isSettled({ ...stuck, isDue: true }, { charge: charge(PENDING), rejections: 0 })).toBe(
    false,
  )
})
