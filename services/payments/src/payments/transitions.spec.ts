import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  earlierStatuses,
  INITIAL_STATUS,
  isTerminal,
  rejectionOf,
  type Status,
  STATUSES,
  statusesBefore,
} from './transitions.js'

const status = fc.constantFrom(...STATUSES)

/** Every sequence of statuses that the contract allows. */
const LIVES: Status[][] = [
  ['INITIATED', 'PENDING', 'SUCCESS'],
  ['INITIATED', 'PENDING', 'FAILED'],
]

describe('the transitions', () => {
  it('lead through INITIATED, PENDING, then SUCCESS or FAILED, whatever is attempted', () => {
    fc.assert(
      fc.property(fc.array(status, { maxLength: 20 }), (attempts) => {
        const life = [INITIAL_STATUS]
        for (const to of attempts) {
          if (statusesBefore(to).includes(life.at(-1) as Status)) life.push(to)
        }
        expect(LIVES.map((whole) => whole.slice(0, life.length))).toContainEqual(life)
      }),
    )
  })

  it('start at INITIATED, which no status leads to', () => {
    expect(INITIAL_STATUS).toBe('INITIATED')
    expect(statusesBefore(INITIAL_STATUS)).toEqual([])
  })

  it('end at SUCCESS and FAILED', () => {
    expect(STATUSES.filter(isTerminal)).toEqual(['SUCCESS', 'FAILED'])
    for (const to of STATUSES) expect(statusesBefore(to).some(isTerminal)).toBe(false)
  })
})

describe('a webhook with a status', () => {
  it('is applicable, premature or superseded in each status, and only one of them', () => {
    fc.assert(
      fc.property(status, status, (to, from) => {
        const isApplicable = statusesBefore(to).includes(from)
        const isPremature = earlierStatuses(to).includes(from)
        expect(isApplicable && isPremature).toBe(false)
        const isAhead = LIVES.some((life) => {
          const [at, then] = [life.indexOf(from), life.indexOf(to)]
          return at >= 0 && then > at
        })
        expect(isApplicable || isPremature).toBe(isAhead)
      }),
    )
  })

  it.each<[Status, Status[], Status[]]>([
    ['INITIATED', [], []],
    ['PENDING', ['INITIATED'], []],
    ['SUCCESS', ['PENDING'], ['INITIATED']],
    ['FAILED', ['PENDING'], ['INITIATED']],
  ])('%s is applicable in %j and premature in %j', (to, before, earlier) => {
    expect(statusesBefore(to)).toEqual(before)
    expect(earlierStatuses(to)).toEqual(earlier)
  })
})

describe('a rejection', () => {
  it.each<[Status, Status, string]>([
    ['INITIATED', 'SUCCESS', 'From INITIATED, only PENDING is allowed.'],
    ['PENDING', 'PENDING', 'From PENDING, only SUCCESS or FAILED is allowed.'],
    ['SUCCESS', 'PENDING', 'SUCCESS is final.'],
  ])('names both statuses of a transition from %s to %s, and what is allowed', (from, to, hint) => {
    const { kind, detail } = rejectionOf(400, { status: from, version: 1 }, to)
    expect(kind.type).toBe('transition-not-allowed')
    expect(detail).toBe(`Transition from ${from} to ${to} is not allowed. ${hint}`)
  })

  it('names the current version if If-Match does not match', () => {
    const { kind, detail } = rejectionOf(412, { status: 'PENDING', version: 2 }, 'SUCCESS')
    expect([kind.type, detail]).toEqual(['version-changed', 'The payment is at version 2.'])
  })
})
