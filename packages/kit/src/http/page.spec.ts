import 'reflect-metadata'
import fc from 'fast-check'
import { v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor, PageCursor, PageLimit, pageOf } from './page.js'
import { InputPipe } from './validation.js'

class QueryDto {
  @PageLimit(20)
  limit = 20

  @PageCursor()
  cursor?: string
}

const validated = (query: object) =>
  new InputPipe().transform(query, { type: 'query', metatype: QueryDto })

describe('a query', () => {
  it.each([{}, { limit: '1' }, { limit: '100' }, { cursor: encodeCursor(v7()) }])(
    'accepts %j',
    async (query) => {
      expect(await validated(query)).toBeInstanceOf(QueryDto)
    },
  )

  it.each([
    ['limit', ''],
    ['limit', '0'],
    ['limit', '101'],
    ['limit', '1.5'],
    ['limit', '1e2'],
    ['limit', '1e1'],
    ['limit', '0x10'],
    ['limit', ' 10'],
    ['limit', '+10'],
    ['limit', '-1'],
    ['limit', '１０'],
    ['limit', ['10']],
    ['limit', 'x'],
    ['limit', ['1', '2']],
    ['cursor', ''],
    ['cursor', 'x'],
    ['cursor', [encodeCursor(v7())]],
  ])('rejects the %s %j', async (field, value) => {
    await expect(validated({ [field]: value })).rejects.toMatchObject({
      extras: { errors: [{ field }] },
    })
  })
})

describe('a page', () => {
  const rows = Array.from({ length: 3 }, () => ({ id: v7() }))

  it('has a next cursor, of its last row, if more rows were found', () => {
    const page = pageOf(rows, 2)
    expect(page.data).toEqual(rows.slice(0, 2))
    expect(decodeCursor(page.nextCursor ?? '')).toBe(rows[1]?.id)
  })

  it.each([3, 4])('has no next cursor if no more than its limit %d were found', (limit) => {
    expect(pageOf(rows, limit)).toEqual({ data: rows, nextCursor: null })
  })

  it('may be empty', () => {
    expect(pageOf([], 1)).toEqual({ data: [], nextCursor: null })
  })
})

describe('a cursor', () => {
  it('decodes to the id that it encodes', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        expect(encodeCursor(id)).toMatch(/^[\w-]{22}$/)
        expect(decodeCursor(encodeCursor(id))).toBe(id)
      }),
    )
  })

  it.each(['', 'x', '='.repeat(22), `${encodeCursor(v7())}=`, `${encodeCursor(v7())}A`, v7()])(
    'is not %j',
    (text) => {
      expect(decodeCursor(text)).toBeUndefined()
    },
  )

  it('of any 22 characters decodes to a UUID that SQL can read', () => {
    const text = fc.string({
      minLength: 22,
      maxLength: 22,
      unit: fc.constantFrom('a', 'Z', '0', '9', '-', '_'),
    })
    fc.assert(
      fc.property(text, (cursor) => {
        expect(decodeCursor(cursor)).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
      }),
    )
  })
})
