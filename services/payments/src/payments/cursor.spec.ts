import fc from 'fast-check'
import { v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { cursorAfter, idOfCursor } from './cursor.js'

describe('a cursor', () => {
  it('leads back to the id that it was made of', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        expect(cursorAfter(id)).toMatch(/^[\w-]{22}$/)
        expect(idOfCursor(cursorAfter(id))).toBe(id)
      }),
    )
  })

  it.each(['', 'x', '='.repeat(22), `${cursorAfter(v7())}=`, `${cursorAfter(v7())}A`, v7()])(
    'is not %j',
    (text) => {
      expect(idOfCursor(text)).toBeUndefined()
    },
  )

  it('whatever its 22 characters are, stands for a UUID that SQL can read', () => {
    const text = fc.string({
      minLength: 22,
      maxLength: 22,
      unit: fc.constantFrom('a', 'Z', '0', '9', '-', '_'),
    })
    fc.assert(
      fc.property(text, (cursor) => {
        expect(idOfCursor(cursor)).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
      }),
    )
  })
})
