import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { holdRequest, requestContext, timeLeftMs } from './request-context.js'

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

describe('a request that is held', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const held = () => {
    const calls: string[] = []
    const call = (name: string) => () => void calls.push(name)
    const admission = { leave: call('leave'), hold: call('hold'), resume: call('resume') }
    return { context: { ...contextWith(1_000), admission }, calls, call }
  }

  it('leaves the load shedder, and has a new deadline afterwards', () => {
    const { context, calls, call } = held()
    requestContext.run(context, () => {
      const end = holdRequest(700, call('completed'))
      expect(calls).toEqual(['hold'])
      vi.advanceTimersByTime(30_000)
      end()
      expect(timeLeftMs(5)).toBe(700)
    })
    expect(calls).toEqual(['hold', 'resume'])
    expect(context).toMatchObject({ heldMs: 30_000, onCompleted: undefined })
  })

  it('has the duration of all its holds', () => {
    const { context, call } = held()
    requestContext.run(context, () => {
      for (const ms of [100, 20]) {
        const end = holdRequest(700, call('completed'))
        vi.advanceTimersByTime(ms)
        end()
        vi.advanceTimersByTime(3)
      }
    })
    expect(context).toMatchObject({ heldMs: 120 })
  })

  it('ends its hold when it completes', () => {
    const { context, calls } = held()
    requestContext.run(context, () => {
      const end = holdRequest(700, () => end())
    })
    vi.advanceTimersByTime(50)
    ;(context as { onCompleted?: () => void }).onCompleted?.()
    expect(context).toMatchObject({ heldMs: 50 })
    expect(calls).toEqual(['hold', 'resume'])
  })

  it('needs no request', () => {
    expect(() => holdRequest(700, () => undefined)()).not.toThrow()
  })
})
