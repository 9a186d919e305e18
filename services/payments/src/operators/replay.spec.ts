import { describe, expect, it } from 'vitest'
import { MESSAGE_VERDICTS } from '../messages/message-insert.js'
import type { QueryReading } from '../providers/reading.js'
import { mtnMomo } from '../providers/mtn-momo/mtn-momo.js'
import { afterReplay, isReplayable, replayStep } from './replay.js'

const READINGS = {
  succeeded: { kind: 'succeeded', transactionId: '1', amount: '5000', currency: 'UGX' },
  declined: { kind: 'declined', failure: 'payer_rejected' },
  pending: { kind: 'pending' },
  unknown_there: { kind: 'unknown_there' },
  no_news: { kind: 'no_news' },
} as const satisfies Record<QueryReading['kind'], QueryReading>

describe('a replay', () => {
  it.each(
    MESSAGE_VERDICTS.flatMap((verdict) =>
      Object.values(READINGS).map((reading) => [verdict, reading] as const),
    ),
  )(
    'of a callback that was %s applies only what was signed and is final: %o',
    (verdict, reading) => {
      const isFinal = reading.kind === 'succeeded' || reading.kind === 'declined'
      const signed = isFinal ? 'apply' : 'query'
      const expected = { signed, invalid: 'ignore' }[verdict as string] ?? 'query'
      expect(replayStep(verdict, { reading })).toBe(expected)
    },
  )

  it('reads callbacks only', () => {
    expect(isReplayable('callback')).toBe(true)
    for (const kind of ['webhook', 'send', 'query'] as const) expect(isReplayable(kind)).toBe(false)
  })

  it('compares the amount as any answer', () => {
    const attempt = { state: 'in_doubt', amountMinor: '5000', currency: 'UGX' } as const
    const after = (amount: string) =>
      afterReplay(mtnMomo, attempt, { reading: { ...READINGS.succeeded, amount } }, 1)
    expect(after('5000')).toMatchObject({ to: 'succeeded', paidMinor: 5_000n })
    expect(after('5001')).toMatchObject({ to: undefined, attention: 'amount_mismatch' })
  })
})
