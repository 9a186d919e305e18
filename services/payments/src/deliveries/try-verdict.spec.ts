import { describe, expect, it } from 'vitest'
import { verdictOf } from './try-verdict.js'

const answered = (status: number, more: object = {}) =>
  verdictOf({
    kind: 'answered',
    status,
    retryAfterSeconds: undefined,
    answer: 'x',
    tookMs: 10,
    ...more,
  })

describe('a try', () => {
  it.each([
    [200, 'delivered', false],
    [204, 'delivered', false],
    [299, 'delivered', false],
    [301, 'failed', false],
    [302, 'failed', false],
    [400, 'failed', false],
    [404, 'failed', false],
    [408, 'failed', false],
    [410, 'gone', false],
    [429, 'failed', true],
    [500, 'failed', true],
    [502, 'failed', true],
    [504, 'failed', true],
  ])('with status %i is %s', (status, outcome, breaksCircuit) => {
    expect(answered(status)).toMatchObject({ outcome, breaksCircuit, status, answer: 'x' })
  })

  it.each(['dns', 'timeout', 'connect', 'forbidden_address'] as const)(
    'that ends with %s failed, and breaks the circuit',
    (error) => {
      const verdict = verdictOf({ kind: 'failed', error, tookMs: 5 })
      expect(verdict).toMatchObject({ outcome: 'failed', breaksCircuit: true, error })
      expect(verdict.status).toBeUndefined()
    },
  )

  it('is slow after two seconds', () => {
    expect(answered(200, { tookMs: 2_000 }).isSlow).toBe(false)
    expect(answered(200, { tookMs: 2_001 }).isSlow).toBe(true)
  })

  it('passes on Retry-After', () => {
    expect(answered(503, { retryAfterSeconds: 9 })).toMatchObject({ retryAfterSeconds: 9 })
  })
})
