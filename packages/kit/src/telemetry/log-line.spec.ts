import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundedLine, MAX_LINE_BYTES } from './log-line.js'

const line = (fields: object) => `${JSON.stringify({ level: 'info', msg: 'request', ...fields })}\n`

describe('boundedLine', () => {
  it('leaves a line of 4 kB unchanged', () => {
    const text = line({ detail: 'x'.repeat(MAX_LINE_BYTES - line({ detail: '' }).length) })
    expect(Buffer.byteLength(text)).toBe(MAX_LINE_BYTES)
    expect(boundedLine(text)).toBe(text)
  })

  it('cuts the longest strings and lists, and keeps the others', () => {
    const stack = 'at function (file.js)\n'.repeat(1_000)
    const bounded = boundedLine(line({ status: 500, err: { message: 'no route', stack } }))
    expect(JSON.parse(bounded)).toEqual({
      level: 'info',
      msg: 'request',
      status: 500,
      err: { message: 'no route', stack: `${stack.slice(0, 1_000)}…` },
    })
    expect(JSON.parse(boundedLine(line({ fields: Array(9_000).fill('name') })))).toEqual({
      level: 'info',
      msg: 'request',
      fields: Array(20).fill('name'),
    })
  })

  it('keeps only the essential fields of a line with too many', () => {
    const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`field${i}`, i]))
    expect(JSON.parse(boundedLine(line({ requestId: 'a', ...many })))).toEqual({
      level: 'info',
      msg: 'request',
      requestId: 'a',
      isCut: true,
    })
  })

  it('returns one line of JSON of at most 4 kB for any fields', () => {
    const fields = fc.dictionary(
      fc.string(),
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 5_000 }),
        fc.array(fc.string({ unit: 'grapheme', maxLength: 2_000 }), { maxLength: 50 }),
        fc.object(),
      ),
      { maxKeys: 20 },
    )
    fc.assert(
      fc.property(fields, (any) => {
        const bounded = boundedLine(line(any))
        expect(Buffer.byteLength(bounded)).toBeLessThanOrEqual(MAX_LINE_BYTES)
        expect(bounded.indexOf('\n')).toBe(bounded.length - 1)
        expect(JSON.parse(bounded)).toBeTypeOf('object')
      }),
      { numRuns: 200 },
    )
  })
})
