import { describe, expect, it } from 'vitest'
import type { BookEntry } from '../../charges/book.ts'
import type { Created } from '../../charges/driver.ts'
import type { PaymentRecord } from '../../charges/records.ts'
import { figuresOf } from './settling.ts'

const SECOND = 1_000
/** When the platform was stable, and when the payment was created. */
const [STABLE, CREATED] = [100 * SECOND, 50 * SECOND]

function payment(own: Partial<PaymentRecord> = {}): PaymentRecord {
  const record = {
    reference: 'PAY-1',
    key: 'charge-1',
    status: 'SUCCESS',
    needsAttention: false,
    attemptState: 'succeeded',
    settledAt: STABLE + 5 * SECOND,
    events: [],
    ...own,
  }
  return record as unknown as PaymentRecord
}

function figures(record: PaymentRecord, decidedAt?: number) {
  const charge = decidedAt === undefined ? undefined : ({ decidedAt } as BookEntry)
  const created = [{ planned: { key: 'charge-1' }, at: CREATED }] as unknown as readonly Created[]
  return figuresOf([record], { book: { find: () => charge }, created, stableAt: STABLE })
}

describe('the time to be settled', () => {
  it.each([
    ['counts from the end of the fault', payment(), STABLE - 1, 5 * SECOND],
    ['counts from the decision', payment(), STABLE + 2 * SECOND, 3 * SECOND],
    ['is 0 for a payment that was settled before', payment({ settledAt: 1 }), 0, 0],
  ])('%s', (_, record, decidedAt, expected) => {
    expect(figures(record, decidedAt)).toMatchObject({ longestMs: expected, late: [] })
  })

  it('counts from the expiry of a payment that could not be sent', () => {
    const expired = { status: 'FAILED', attemptState: 'not_sent', settledAt: 111 * SECOND }
    expect(figures(payment(expired)).longestMs).toBe(SECOND)
  })

  it('does not count for a payment that the provider never received', () => {
    const flagged = { status: 'PENDING', needsAttention: true, attemptState: 'in_doubt' }
    const settledAt = STABLE + 90 * SECOND
    const { longestMs, late } = figures(payment({ ...flagged, settledAt }))
    expect({ longestMs, late }).toEqual({ longestMs: 0, late: [] })
  })
})

describe('a payment is late', () => {
  const settledAt = STABLE + 31 * SECOND

  it('after the lease, a pause and a query', () => {
    expect(figures(payment({ settledAt }), STABLE).late).toHaveLength(1)
  })

  it('if it is never settled', () => {
    expect(figures(payment({ settledAt: null }), STABLE).late).toHaveLength(1)
    expect(figures(payment({ settledAt: null })).late).toHaveLength(1)
  })

  it('only after the timeout of a request that was lost with its replica', () => {
    const change = (from: string, to: string, at: number) => ({ from, to, at, cause: 'claim' })
    const lost = [
      change('queued', 'sending', STABLE - SECOND),
      change('sending', 'succeeded', settledAt + 10 * SECOND),
    ]
    const record = payment({ settledAt: settledAt + 10 * SECOND, events: lost })
    expect(figures(record, STABLE)).toMatchObject({ late: [], lostCalls: 1 })
    const answered = [lost[0]!, change('sending', 'accepted', STABLE)]
    expect(figures(payment({ settledAt, events: answered }), STABLE).late).toHaveLength(1)
  })
})
