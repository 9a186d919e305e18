import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { traceContext, traceparent } from './trace-context.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('a traceparent', () => {
  it.each([
    [`00-${TRACE}-${SPAN}-01`, 1],
    [`00-${TRACE}-${SPAN}-00`, 0],
    [`00-${TRACE}-${SPAN}-ff`, 3],
    [`01-${TRACE}-${SPAN}-01`, 1],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, 1],
  ])('%s is understood', (header, traceFlags) => {
    expect(traceContext({ traceparent: header })).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      traceFlags,
    })
  })

  it.each([
    undefined,
    '',
    'nonsense',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
    `cc-${TRACE}-${SPAN}-01-a b`,
  ])('%j is none', (header) => {
    expect(traceContext({ traceparent: header })).toBeUndefined()
  })

  it('of any text is none, and none makes it throw', () => {
    fc.assert(fc.property(fc.string(), (text) => traceContext({ traceparent: text }) === undefined))
  })

  it('is written as it is read', () => {
    const context = { traceId: TRACE, spanId: SPAN, traceFlags: 1 }
    expect(traceContext({ traceparent: traceparent(context) })).toEqual(context)
  })
})
