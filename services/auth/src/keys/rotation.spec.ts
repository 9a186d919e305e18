import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Member, rotation, useless } from './rotation.js'

const LIFE = 900
const NOW = 1_767_259_800
const terms = { now: NOW, tokenLife: LIFE, signsIn: 300 }
const key = (kid: string, age: number): Member => ({ kid, signsFrom: NOW - age })

describe('a rotation', () => {
  it.each<[string, Member[], number | undefined, string[]]>([
    ['of one key adds one', [key('a', 0)], NOW + 300, []],
    ['adds none while one is on its way', [key('a', 5_000), key('b', -1)], undefined, []],
    [
      'keeps the one before for as long as its tokens',
      [key('a', 5_000), key('b', 959)],
      NOW + 300,
      [],
    ],
    ['drops it then', [key('a', 5_000), key('b', 960)], NOW + 300, ['a']],
    [
      'drops all that are older',
      [key('b', 4_000), key('c', 2_000), key('a', 5_000), key('d', 10)],
      NOW + 300,
      ['a', 'b'],
    ],
  ])('%s', (_, keys, make, drop) => {
    expect(rotation(keys, terms)).toEqual({ make, drop })
  })

  it('never drops a key that a living token was signed with, nor the one that signs', () => {
    const ages = fc.array(fc.integer({ min: -2_000, max: 5_000 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(ages, fc.integer({ min: 1, max: 3_000 }), (some, tokenLife) => {
        const keys = some.map((age, i) => key(String(i), age))
        const dropped = useless(keys, { ...terms, tokenLife })
        for (let ago = 0; ago <= tokenLife; ago += 50) {
          const then = NOW - ago
          const signed = keys
            .toSorted((a, b) => a.signsFrom - b.signsFrom)
            .findLast(({ signsFrom }) => signsFrom <= then)
          expect(dropped).not.toContain(signed?.kid)
        }
        expect(dropped.length).toBeLessThan(keys.length)
      }),
    )
  })
})
