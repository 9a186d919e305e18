import { describe, expect, it } from 'vitest'
import { propagationHeaders, requestId } from './request-id.js'

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

describe('a request id', () => {
  it.each(['a', 'order-17', '0d4f0c5e-7d0c-4c43-9f0a-1c8d5b0f6f11', 'A.b:c_d', 'x'.repeat(128)])(
    '%s is taken over',
    (id) => expect(requestId({ 'x-request-id': id })).toBe(id),
  )

  it.each([undefined, '', ' ', '-a', 'x'.repeat(129), 'a b', 'a\nb', '{"a":1}', 'é', ['a', 'b']])(
    '%j is replaced',
    (id) => expect(requestId({ 'x-request-id': id })).toMatch(UUID),
  )

  it('is new each time', () => {
    expect(requestId({})).not.toBe(requestId({}))
  })
})

describe('what is passed on', () => {
  const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

  it('is the id with a trace that is well-formed', () => {
    expect(propagationHeaders('a', { traceparent: TRACE })).toEqual({
      'x-request-id': 'a',
      traceparent: TRACE,
    })
  })

  it('is what other makers of traces say, too, unless it is too long or alone', () => {
    const tracestate = 'vendor=opaque,other=1'
    const passed = { 'x-request-id': 'a', traceparent: TRACE }
    expect(propagationHeaders('a', { traceparent: TRACE, tracestate })).toEqual({
      ...passed,
      tracestate,
    })
    expect(propagationHeaders('a', { traceparent: TRACE, tracestate: 'x'.repeat(513) })).toEqual(
      passed,
    )
    expect(propagationHeaders('a', { tracestate })).toEqual({ 'x-request-id': 'a' })
  })

  it.each([undefined, '', 'nonsense', TRACE.toUpperCase(), `${TRACE}\r\nx: y`])(
    'is the id alone with %j',
    (traceparent) =>
      expect(propagationHeaders('a', { traceparent })).toEqual({ 'x-request-id': 'a' }),
  )
})
