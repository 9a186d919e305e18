import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plan, type Inputs } from './choice.js'
import { parseMix, pick } from './mix.js'
import { PERSONALITIES, PERSONALITY_NAMES } from './personalities.js'
import { dueSteps, stateAfter, type Timeline } from './timeline.js'

const MINUTE = 60_000

const inputs: Inputs = {
  reference: 'reference',
  amount: '5000',
  phone: '256772123456',
  rejections: 0,
  seed: 'seed',
  mix: {},
  timeScale: 1,
}

const anyInputs: fc.Arbitrary<Inputs> = fc.record({
  reference: fc.uuid(),
  amount: fc.integer({ min: 1, max: 1_000_000 }).map(String),
  phone: fc.constant('256772123456'),
  script: fc.option(
    fc.record({
      personality: fc.constantFrom(...PERSONALITY_NAMES),
      payerMs: fc.integer({ min: 0, max: 3_600_000 }),
    }),
    { nil: undefined },
  ),
  rejections: fc.nat(2),
  seed: fc.string(),
  mix: fc.constant(parseMix('all')!),
  timeScale: fc.constantFrom(0, 0.01, 1, 3),
})

const anyTimeline = anyInputs
  .map((given) => plan(given))
  .filter((planned) => 'timeline' in planned)
  .map((planned) => ('timeline' in planned ? planned.timeline : undefined)!)

const timelineOf = (phone: string): Timeline => {
  const planned = plan({ ...inputs, phone })
  if ('rejection' in planned) throw new Error('a rejection has no timeline')
  return planned.timeline
}
const stateAt = (timeline: Timeline, ms: number) => stateAfter(timeline, dueSteps(timeline, ms))

describe('a timeline', () => {
  it('depends on its inputs only', () => {
    fc.assert(
      fc.property(anyInputs, (given) => {
        expect(plan(given)).toEqual(plan(structuredClone(given)))
      }),
    )
  })

  it('has its steps in the order of their times', () => {
    const isOrdered = ({ steps }: Timeline) =>
      steps.every(({ atMs }, index) => index === 0 || steps[index - 1]!.atMs <= atMs)
    fc.assert(fc.property(anyTimeline, isOrdered))
  })

  it('never takes a payment back, and never hides a visible charge', () => {
    fc.assert(
      fc.property(anyTimeline, fc.nat(10_000_000), fc.nat(10_000_000), (timeline, a, b) => {
        const before = stateAt(timeline, Math.min(a, b))
        const after = stateAt(timeline, Math.max(a, b))
        const isShown = after.isVisible || !before.isVisible
        const isPaid = after.outcome.status === 'paid' || before.outcome.status !== 'paid'
        return isShown && isPaid
      }),
    )
  })

  it('has no step later than its times multiplied by the factor', () => {
    fc.assert(
      fc.property(anyInputs, (given) => {
        const [one, tenth] = [1, 0.1].map((timeScale) => plan({ ...given, timeScale }))
        if (!one || !tenth || 'rejection' in one || 'rejection' in tenth) return
        const times = one.timeline.steps.map(({ atMs }) => atMs)
        const scaled = tenth.timeline.steps.map(({ atMs }) => atMs)
        expect(scaled.every((ms, index) => Math.abs(ms - times[index]! / 10) <= 1)).toBe(true)
      }),
    )
  })
})

describe('the outcome of each personality, after an hour and a half', () => {
  const PAID = { status: 'paid', amount: '5000' }
  const declined = (reason: string) => ({ status: 'declined', reason })
  it.each([
    ['approve', 'accepted', true, PAID, 1],
    ['decline', 'accepted', true, declined('rejected'), 1],
    ['insufficient-funds', 'accepted', true, declined('insufficient_funds'), 1],
    ['expire', 'accepted', true, declined('expired'), 1],
    ['slow', 'accepted', true, PAID, 1],
    ['callback-lost', 'accepted', true, PAID, 0],
    ['callback-twice', 'accepted', true, PAID, 2],
    ['callback-early', 'accepted', true, PAID, 1],
    ['callback-out-of-order', 'accepted', true, PAID, 2],
    ['wrong-amount', 'accepted', true, { status: 'paid', amount: '5001' }, 1],
    ['error-though-paid', 'error', true, PAID, 0],
    ['reset-though-paid', 'reset', true, PAID, 1],
    ['error-not-charged', 'error', false, { status: 'pending' }, 0],
    ['unknown', 'accepted', false, { status: 'pending' }, 0],
    ['unknown-though-paid', 'accepted', false, PAID, 0],
    ['unknown-9-minutes', 'accepted', true, PAID, 0],
    ['unknown-11-minutes', 'accepted', true, PAID, 0],
    ['unknown-60-minutes', 'accepted', true, PAID, 0],
    ['paid-after-expiry', 'accepted', true, PAID, 2],
    ['never', 'accepted', true, { status: 'pending' }, 0],
  ] as const)('%s', (name, answer, isVisible, outcome, callbacks) => {
    const number = String(PERSONALITIES[name].number).padStart(2, '0')
    const timeline = timelineOf(`2567729000${number}`)
    expect(timeline.answer.kind).toBe(answer)
    expect(stateAt(timeline, 90 * MINUTE)).toEqual({ isVisible, outcome })
    expect(timeline.steps.filter(({ type }) => type === 'callback')).toHaveLength(callbacks)
  })

  it('includes every personality that has a timeline', () => {
    const withTimeline = PERSONALITY_NAMES.filter(
      (name) => typeof PERSONALITIES[name].plan === 'function',
    )
    expect(withTimeline).toHaveLength(20)
  })

  it.each([9, 11, 60])('is unknown for %i minutes, then paid', (minutes) => {
    const timeline = timelineOf(`25677290001${{ 9: 5, 11: 6, 60: 7 }[minutes]}`)
    expect(stateAt(timeline, minutes * MINUTE - 1).isVisible).toBe(false)
    const state = { isVisible: true, outcome: { status: 'paid', amount: '5000' } }
    expect(stateAt(timeline, minutes * MINUTE)).toEqual(state)
  })

  it('is failed before it is paid, for a success after expiry', () => {
    const timeline = timelineOf('256772900018')
    const outcomeAt = (minutes: number) => stateAt(timeline, minutes * MINUTE).outcome.status
    expect([4, 5, 14, 15].map(outcomeAt)).toEqual(['pending', 'declined', 'declined', 'paid'])
  })
})

describe('the choice of a personality', () => {
  it('prefers the script to the test number, our number and the seed', () => {
    const given = { ...inputs, phone: '256772900001', mix: { never: 1 } } as const
    const testNumber = { personality: 'expire' } as const
    const script = { personality: 'unknown' } as const
    const chosen = [{ ...given, testNumber, script }, { ...given, testNumber }, given, inputs]
    expect(chosen.map((each) => plan(each).personality)).toEqual([
      'unknown',
      'expire',
      'decline',
      'approve',
    ])
    expect(plan({ ...given, phone: '256772123456' }).personality).toBe('never')
  })

  it('knows the numbers of both networks', () => {
    expect(plan({ ...inputs, phone: '256752900019' }).personality).toBe('never')
    expect(plan({ ...inputs, phone: '256762900019' }).personality).toBe('approve')
  })

  it('is busy for the first request of a reference only', () => {
    const busy = { ...inputs, phone: '256772900021' }
    expect(plan(busy)).toEqual({ personality: 'busy', rejection: 'busy' })
    expect(plan({ ...busy, rejections: 1 }).personality).toBe('approve')
  })

  it('follows the weights of the mix', () => {
    const mix = { approve: 3, never: 1 }
    const references = Array.from({ length: 4_000 }, (_, index) => `reference ${index}`)
    const chosen = references.map((reference) => plan({ ...inputs, reference, mix }).personality)
    const share = chosen.filter((name) => name === 'approve').length / chosen.length
    expect(new Set(chosen)).toEqual(new Set(['approve', 'never']))
    expect(share).toBeGreaterThan(0.72)
    expect(share).toBeLessThan(0.78)
  })

  it('changes with the seed', () => {
    const mix = parseMix('all')!
    const chosen = (seed: string) =>
      Array.from({ length: 50 }, (_, index) =>
        plan({ ...inputs, reference: `${index}`, mix, seed }),
      ).map(({ personality }) => personality)
    expect(chosen('a')).not.toEqual(chosen('b'))
  })
})

describe('the mix', () => {
  it('picks every personality with a weight, at its part of the whole', () => {
    const mix = { approve: 1, decline: 2, never: 1 }
    expect([0, 0.24, 0.25, 0.74, 0.75, 0.99].map((at) => pick(mix, at))).toEqual([
      'approve',
      'approve',
      'decline',
      'decline',
      'never',
      'never',
    ])
    expect(pick({}, 0.5)).toBeUndefined()
  })

  it.each(['approve', 'approve=-1', 'approve=1.5', 'other=1', 'toString=1'])('rejects %s', (text) =>
    expect(parseMix(text)).toBeUndefined(),
  )
})
