import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decimalOf, mayRound, numberText, parseWithDigits } from './json-number.js'

/** The value of a JSON text, as `acceptJsonOnly` parses it. */
const parse = (text: string): unknown => (mayRound(text) ? parseWithDigits(text) : JSON.parse(text))

describe('a number of a JSON body', () => {
  it.each([
    '4999.99999999999999999',
    '5000.00000000000000001',
    '999999999999.99999999',
    '12345678901234567890',
    '-12345678901234567890',
    '9007199254740993',
    '0.10000000000000000001',
    '1e400',
    '-1E+400',
    '1e-400',
    '4.999999999999999999999e3',
    '123456789.0123456789e-5',
  ])('that a double rounds keeps its digits: %s', (text) => {
    for (const json of [text, `{"a":${text}}`, `{"a": [1, ${text}]}`, `[\n${text}\n]`]) {
      expect(JSON.stringify(parse(json))).toBe(json.replaceAll(/\s/g, ''))
    }
    expect(typeof parse(text)).toBe('object')
    expect(numberText(parse(text))).toBe(text)
  })

  it.each([
    ['0', 0],
    ['-0', -0],
    ['5000', 5000],
    ['5000.000000000000000000', 5000],
    ['0.1', 0.1],
    ['0.10000000000000000000', 0.1],
    ['5e3', 5000],
    ['50E-1', 5],
    ['0e999999999999', 0],
    ['1e21', 1e21],
    ['123456789012345', 123456789012345],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['5e-324', Number.MIN_VALUE],
  ])('that a double preserves stays a number: %s', (text, value) => {
    expect(parse(text)).toBe(value)
  })

  it('has the decimal value that was sent, whatever its length, point and exponent', () => {
    const digits = fc.stringMatching(/^(0|[1-9]\d{0,24})(\.\d{1,24})?([eE][+-]?\d{1,3})?$/)
    fc.assert(
      fc.property(digits, fc.boolean(), (text, negative) => {
        const number = negative ? `-${text}` : text
        const { value } = parse(`{"x":"y","value":${number}}`) as { value: unknown }
        const { isNegative: _, ...parsed } = decimalOf(numberText(value) ?? '') ?? {}
        const { isNegative: __, ...sent } = decimalOf(number) ?? {}
        expect(parsed).toEqual(sent)
      }),
      { numRuns: 2_000 },
    )
  })

  it('does not change other values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        expect(parseWithDigits(text)).toEqual(JSON.parse(text))
      }),
    )
  })
})

it.each([
  ['a payment', '{"amount":5000,"currency":"UGX","customerPhone":"+256772123456"}'],
  ['a reference', '{"reference":"PAY-019aa0a0-7e80-7000-8000-000000000000"}'],
  ['a number of 15 digits', '{"amount":1234567890.1234}'],
])('%s needs no second parse', (_, text) => {
  expect(mayRound(text)).toBe(false)
})

it.each([undefined, null, '5000', true, [5], { rawJSON: '5' }])('%j is no number', (value) => {
  expect(numberText(value)).toBeUndefined()
})

describe('a decimal', () => {
  it.each([
    ['5000', '5', 4],
    ['0.05', '5', -1],
    ['-12.30', '123', 2],
    ['5e3', '5', 4],
    ['1E-7', '1', -6],
    ['0.000', '', 0],
  ])('%s is ±0.%s × 10^%i', (text, digits, point) => {
    expect(decimalOf(text)).toEqual({ isNegative: text.startsWith('-'), digits, point })
  })

  it.each(['', 'NaN', 'Infinity', '+5', '.5', '5.', '1e', '0x10', '1_000', '5\n'])(
    '%j is none',
    (text) => expect(decimalOf(text)).toBeUndefined(),
  )

  it('of 100,000 digits is parsed in linear time', () => {
    const begin = performance.now()
    decimalOf(`1${'0'.repeat(99_998)}1`)
    decimalOf(`${'0'.repeat(99_999)}1`)
    expect(performance.now() - begin).toBeLessThan(500)
  })
})
