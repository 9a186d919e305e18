import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  FIRST,
  isTerminal,
  type Status,
  STATUSES,
  statusesBefore,
  statusesFarBefore,
} from './transitions.js'

const status = fc.constantFrom(...STATUSES)

/** Every life that a payment may have, as the contract writes it. */
const LIVES: Status[][] = [
  ['INITIATED', 'PENDING', 'SUCCESS'],
  ['INITIATED', 'PENDING', 'FAILED'],
]

describe('INITIATED → PENDING → SUCCESS | FAILED', () => {
  it('is all that any sequence of attempts can make of a payment', () => {
    fc.assert(
      fc.property(fc.array(status, { maxLength: 20 }), (attempts) => {
        const life = [FIRST]
        for (const to of attempts) {
          if (statusesBefore(to).includes(life.at(-1) as Status)) life.push(to)
        }
        expect(LIVES.map((whole) => whole.slice(0, life.length))).toContainEqual(life)
      }),
    )
  })

  it('begins with INITIATED, which nothing leads to', () => {
    expect(FIRST).toBe('INITIATED')
    expect(statusesBefore(FIRST)).toEqual([])
  })

  it('ends with SUCCESS and FAILED', () => {
    expect(STATUSES.filter(isTerminal)).toEqual(['SUCCESS', 'FAILED'])
    for (const to of STATUSES) expect(statusesBefore(to).some(isTerminal)).toBe(false)
  })
})

describe('news of a status', () => {
  it('finds each status before it, far before it or past, and in one of them only', () => {
    fc.assert(
      fc.property(status, status, (to, from) => {
        const before = statusesBefore(to).includes(from)
        const farBefore = statusesFarBefore(to).includes(from)
        expect(before && farBefore).toBe(false)
        const ahead = LIVES.some((life) => {
          const [at, then] = [life.indexOf(from), life.indexOf(to)]
          return at >= 0 && then > at
        })
        expect(before || farBefore).toBe(ahead)
      }),
    )
  })

  it.each<[Status, Status[], Status[]]>([
    ['INITIATED', [], []],
    ['PENDING', ['INITIATED'], []],
    ['SUCCESS', ['PENDING'], ['INITIATED']],
    ['FAILED', ['PENDING'], ['INITIATED']],
  ])('%s comes from %j and too early for %j', (to, before, farBefore) => {
    expect(statusesBefore(to)).toEqual(before)
    expect(statusesFarBefore(to)).toEqual(farBefore)
  })
})
