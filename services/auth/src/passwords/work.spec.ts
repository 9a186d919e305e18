import { compare, hash } from 'bcrypt'
import { describe, expect, it } from 'vitest'
import { costOf, dummyHash, remainingWork } from './work.js'

const rounds = (hashes: string[]) => hashes.reduce((sum, one) => sum + 2 ** costOf(one), 0)

describe('a failed login', () => {
  const costs = Array.from({ length: 12 }, (_, i) => i + 4)

  it.each(costs)('without an account is all the work of cost %i', (cost) => {
    expect(rounds(remainingWork(undefined, cost))).toBe(2 ** cost)
  })

  it.each(
    costs.flatMap((least) => costs.filter((c) => c >= least).map((c) => [least, c] as const)),
  )('with a hash of cost %i takes the same work as cost %i', (least, cost) => {
    const stored = dummyHash(least)
    expect(rounds([stored, ...remainingWork(stored, cost)])).toBe(2 ** cost)
  })

  it('with a hash of a higher cost adds nothing', () => {
    expect(remainingWork(dummyHash(12), 10)).toEqual([])
  })
})

describe('a dummy', () => {
  it('makes bcrypt do the work', async () => {
    const started = performance.now()
    expect(await compare('any password', dummyHash(10))).toBe(false)
    expect(performance.now() - started).toBeGreaterThan(10)
  })

  it('has the format of a real hash', async () => {
    const form = /^\$2b\$05\$[./A-Za-z0-9]{53}$/
    expect(await hash('any password', 5)).toMatch(form)
    expect(dummyHash(5)).toMatch(form)
  })
})
