import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limitFaultOf, MAX_DEPTH, MAX_FIELDS } from './json-limits.js'

const object = (count: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i])))
const list = (count: number) => JSON.stringify(Array.from({ length: count }, () => 0))
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

describe('limitFaultOf', () => {
  it.each([
    ['an empty object', '{}'],
    ['200 fields', object(MAX_FIELDS)],
    ['200 elements', list(MAX_FIELDS)],
    ['200 fields on two levels', `{"a":${object(100)},"b":${object(98)}}`],
    ['8 levels', nested(MAX_DEPTH)],
    [
      'brackets and commas in a string',
      JSON.stringify({ a: `${'['.repeat(50)}${','.repeat(500)}` }),
    ],
    ['escaped quotes', JSON.stringify({ a: `"${'\\",['.repeat(300)}` })],
    ['a string', '"x"'],
    ['text that ends within a string', '"\\'],
  ])('accepts %s', (_, json) => {
    expect(limitFaultOf(json)).toBeUndefined()
  })

  it.each([
    ['201 fields', object(MAX_FIELDS + 1), /200 fields/],
    ['201 elements', list(MAX_FIELDS + 1), /200 fields/],
    ['201 fields on two levels', `{"a":${object(100)},"b":${object(99)}}`, /200 fields/],
    ['201 fields with one name', `{${'"a":1,'.repeat(MAX_FIELDS)}"a":1}`, /200 fields/],
    ['9,000 fields', object(9_000), /200 fields/],
    ['lists of nothing', `[${'[],'.repeat(150)}[]]`, /200 fields/],
    ['9 levels', nested(MAX_DEPTH + 1), /8 levels/],
    ['45,000 levels', nested(45_000), /8 levels/],
    ['9 levels after a string with quotes', `["\\"",${nested(MAX_DEPTH)}]`, /8 levels/],
    ['201 fields and no end', object(MAX_FIELDS + 1).slice(0, -1), /200 fields/],
  ])('rejects %s', (_, json, message) => {
    expect(limitFaultOf(json)).toMatch(message)
  })

  it('counts the fields, elements and levels that JSON.parse finds', () => {
    const text = fc.string({ unit: 'binary', maxLength: 5 })
    const level = fc.record({
      isList: fc.boolean(),
      texts: fc.array(text, { maxLength: 60, size: 'max' }),
    })
    const value = fc.array(level, { maxLength: 12 }).map((levels) =>
      levels.reduceRight<unknown>((inner, { isList, texts }) => {
        const elements = [...texts, inner]
        return isList
          ? elements
          : Object.fromEntries(elements.map((element, i) => [`"${i}`, element]))
      }, 0),
    )
    fc.assert(
      fc.property(value, (any) => {
        const { fields, depth } = measured(any)
        const isWithin = fields <= MAX_FIELDS && depth <= MAX_DEPTH
        expect(limitFaultOf(JSON.stringify(any, null, 1)) === undefined).toBe(isWithin)
      }),
      { numRuns: 200 },
    )
  })

  it('reads 100 kB in less than 20 ms', () => {
    const json = JSON.stringify('\\"'.repeat(25_000))
    const times = Array.from({ length: 5 }, () => {
      const startedAt = performance.now()
      limitFaultOf(json)
      return performance.now() - startedAt
    })
    expect(Math.min(...times)).toBeLessThan(20)
  })
})

function measured(value: unknown): { fields: number; depth: number } {
  if (typeof value !== 'object' || value === null) return { fields: 0, depth: 0 }
  const inner = Object.values(value).map(measured)
  return {
    fields: inner.reduce((sum, { fields }) => sum + fields, inner.length),
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
  }
}
