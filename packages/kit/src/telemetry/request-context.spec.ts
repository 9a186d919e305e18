import { describe, expect, it } from 'vitest'
import { requestContext, timeLeftMs } from './request-context.js'

const contextWith = (leftMs: number) => ({
  requestId: 'id',
  traceId: undefined,
  deadline: performance.now() + leftMs,
  isCompleted: false,
})

describe('the time that is left', () => {
  it('is that until the request’s deadline', () => {
    const leftMs = requestContext.run(contextWith(1_000), () => timeLeftMs(5))
    expect(leftMs).toBeGreaterThan(900)
    expect(leftMs).toBeLessThanOrEqual(1_000)
  })

  it('is 0 after the deadline', () => {
    expect(requestContext.run(contextWith(-1), () => timeLeftMs(5))).toBe(0)
  })

  it('is not limited outside a request, nor for work that outlives its request', () => {
    expect(timeLeftMs(5)).toBe(5)
    const completed = { ...contextWith(-1), isCompleted: true }
    expect(requestContext.run(completed, () => timeLeftMs(5))).toBe(5)
  })
})
