import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rotation, type StoredSecret } from './rotation.js'

const valid = (nth: number): StoredSecret => ({ nth, isExpired: false })
const expired = (nth: number): StoredSecret => ({ nth, isExpired: true })

describe('a rotation', () => {
  it.each<[string, StoredSecret[], number, ReturnType<typeof rotation>]>([
    ['of the only secret', [valid(1)], 60, { nth: 2, drop: [], expire: 1 }],
    ['of the only secret, at once', [valid(1)], 0, { nth: 2, drop: [1], expire: undefined }],
    ['during an overlap', [valid(1), valid(2)], 60, { nth: 3, drop: [2], expire: undefined }],
    [
      'during an overlap, unordered',
      [valid(2), valid(1)],
      60,
      { nth: 3, drop: [2], expire: undefined },
    ],
    [
      'during an overlap, at once',
      [valid(1), valid(2)],
      0,
      { nth: 3, drop: [1, 2], expire: undefined },
    ],
    ['after an overlap', [expired(1), valid(2)], 60, { nth: 3, drop: [1], expire: 2 }],
    ['without a secret', [], 60, { nth: 1, drop: [], expire: undefined }],
  ])('%s', (_, secrets, overlapSeconds, expected) => {
    expect(rotation(secrets, overlapSeconds)).toEqual(expected)
  })

  it('never leaves more than two secrets, and leaves the oldest its time', () => {
    const step = fc.record({ overlap: fc.constantFrom(0, 60), expires: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let secrets = [{ ...valid(1), mayExpire: false }]
        for (const { overlap, expires } of steps) {
          const oldest = secrets.find(({ isExpired }) => !isExpired)
          const { nth, drop, expire } = rotation(secrets, overlap)
          expect(secrets.every((secret) => secret.nth < nth)).toBe(true)
          secrets = [
            ...secrets
              .filter((secret) => !drop.includes(secret.nth))
              .map((secret) => ({
                ...secret,
                mayExpire: secret.mayExpire || secret.nth === expire,
              })),
            { ...valid(nth), mayExpire: false },
          ]
          const isLeft = secrets.some((secret) => secret.nth === oldest?.nth)
          expect(isLeft).toBe(overlap > 0)
          expect(secrets.filter(({ isExpired }) => !isExpired).length).toBeLessThanOrEqual(2)
          // Only the newest secret has no end.
          expect(secrets.filter(({ mayExpire }) => !mayExpire).map((each) => each.nth)).toEqual([
            nth,
          ])
          if (expires) {
            secrets = secrets.map((secret) => ({ ...secret, isExpired: secret.mayExpire }))
          }
        }
      }),
    )
  })
})
