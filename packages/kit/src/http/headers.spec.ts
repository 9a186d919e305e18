import { describe, expect, it } from 'vitest'
import { propagationHeaders, requestId } from './headers.js'

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

describe('requestId', () => {
  it.each(['a', 'order-17', '0d4f0c5e-7d0c-4c43-9f0a-1c8d5b0f6f11', 'A.b:c_d', 'x'.repeat(128)])(
    'accepts %s from the client',
    (id) => expect(requestId({ 'x-request-id': id })).toBe(id),
  )

  it.each([undefined, '', ' ', '-a', 'x'.repeat(129), 'a b', 'a\nb', '{"a":1}', 'é', ['a', 'b']])(
    'replaces %j',
    (id) => expect(requestId({ 'x-request-id': id })).toMatch(UUID),
  )

  it('generates a new id each time', () => {
    expect(requestId({})).not.toBe(requestId({}))
  })
})

describe('propagationHeaders', () => {
  const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

  it('has the id and a valid traceparent', () => {
    expect(propagationHeaders('a', { traceparent: TRACE })).toEqual({
      'x-request-id': 'a',
      traceparent: TRACE,
    })
  })

  it('has tracestate unless it is too long or without traceparent', () => {
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
    'has only the id with traceparent %j',
    (traceparent) =>
      expect(propagationHeaders('a', { traceparent })).toEqual({ 'x-request-id': 'a' }),
  )
})
