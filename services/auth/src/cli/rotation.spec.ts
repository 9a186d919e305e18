import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expiredKeys, type Member, rotation } from './rotation.js'

const NOW = 1_767_259_800
const policy = { now: NOW, tokenLifetimeSeconds: 900, signsInSeconds: 300 }
const key = (kid: string, age: number): Member => ({ kid, signsFrom: NOW - age })

describe('rotation', () => {
  it.each<[string, Member[], number | undefined, string[]]>([
    ['adds a key to a single one', [key('a', 0)], NOW + 300, []],
    ['adds no key while one is pending', [key('a', 5_000), key('b', -1)], undefined, []],
    [
      'keeps the previous key until its last token has expired',
      [key('a', 5_000), key('b', 959)],
      NOW + 300,
      [],
    ],
    ['then drops it', [key('a', 5_000), key('b', 960)], NOW + 300, ['a']],
    [
      'drops all older keys',
      [key('b', 4_000), key('c', 2_000), key('a', 5_000), key('d', 10)],
      NOW + 300,
      ['a', 'b'],
    ],
  ])('%s', (_, keys, createFrom, drop) => {
    expect(rotation(keys, policy)).toEqual({ createFrom, drop })
  })

  it('never drops the current key, or one that signed an unexpired token', () => {
    const ages = fc.array(fc.integer({ min: -2_000, max: 5_000 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(ages, fc.integer({ min: 1, max: 3_000 }), (some, tokenLifetimeSeconds) => {
        const keys = some.map((age, i) => key(String(i), age))
        const dropped = expiredKeys(keys, { ...policy, tokenLifetimeSeconds })
        for (let ago = 0; ago <= tokenLifetimeSeconds; ago += 50) {
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
