import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Abandoned } from '../telemetry/request-context.js'
import { Batch, type BatchLimits, DeadlineExceeded, Overloaded } from './batch.js'

interface Item {
  readonly id: number
  readonly keys: readonly string[]
}

const LIMITS: BatchLimits = {
  maxInFlight: 2,
  maxItems: 4,
  maxQueued: 1_000,
  maxDelayMs: 10,
  stallThresholdMs: 500,
}
const NEVER = Number.MAX_SAFE_INTEGER

/** A batch whose `send` completes when the test completes it. */
function manualBatch(limits: Partial<BatchLimits> = {}) {
  const batches: { items: readonly Item[]; complete: (error?: Error) => void }[] = []
  const send = (items: readonly Item[]) =>
    new Promise<string[]>((resolve, reject) => {
      const complete = (error?: Error) =>
        error ? reject(error) : resolve(items.map(({ id }) => `result ${id}`))
      batches.push({ items, complete })
    })
  const batch = new Batch<Item, string>(send, ({ keys }) => keys, { ...LIMITS, ...limits })
  const call = (id: number, deadline = NEVER, requestContext?: { isCompleted: boolean }) =>
    batch.call({ id, keys: [] }, { deadline, requestContext })
  return { batch, batches, call, ids: () => batches.map(({ items }) => items.map(({ id }) => id)) }
}

/** Ends the event-loop tick. */
const tick = () => vi.advanceTimersByTimeAsync(0)

const settled = async (promise: Promise<unknown>) =>
  promise.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  )

/** Moves the monotonic clock without running timers. */
function moveClock(ms: number) {
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms)
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('a batch', () => {
  it('dispatches a single call immediately, and calls that arrive meanwhile in one batch', async () => {
    const { call, batches, ids } = manualBatch()
    const first = call(1)
    await tick()
    expect(ids()).toEqual([[1]])
    const others = [call(2), call(3)]
    await tick()
    expect(ids()).toEqual([[1]])
    batches[0]?.complete()
    expect(await first).toBe('result 1')
    await tick()
    expect(ids()).toEqual([[1], [2, 3]])
    batches[1]?.complete()
    expect(await Promise.all(others)).toEqual(['result 2', 'result 3'])
  })

  it('dispatches the calls of one event-loop tick in one batch', async () => {
    const { call, ids } = manualBatch()
    for (const id of [1, 2, 3]) void call(id)
    expect(ids()).toEqual([])
    await tick()
    expect(ids()).toEqual([[1, 2, 3]])
  })

  it('dispatches a full batch beside the first one, and at most `maxInFlight`', async () => {
    const { call, ids } = manualBatch()
    void call(1)
    await tick()
    for (let id = 2; id <= 12; id++) void call(id)
    await tick()
    expect(ids()).toEqual([[1], [2, 3, 4, 5]])
  })

  it('dispatches the next batch when the first one takes longer than `maxDelayMs`', async () => {
    const { call, ids } = manualBatch()
    void call(1)
    await tick()
    void call(2)
    moveClock(LIMITS.maxDelayMs + 1)
    void call(3)
    await tick()
    expect(ids()).toEqual([[1], [2, 3]])
  })

  it('does so without another call, even if the delay timer runs early', async () => {
    const { call, ids } = manualBatch()
    void call(1)
    await tick()
    void call(2)
    moveClock(-5)
    await vi.advanceTimersByTimeAsync(LIMITS.maxDelayMs + 1)
    expect(ids()).toEqual([[1]])
    await vi.advanceTimersByTimeAsync(LIMITS.maxDelayMs + 1)
    expect(ids()).toEqual([[1], [2]])
  })

  it('does so without another call', async () => {
    const { call, ids } = manualBatch()
    void call(1)
    await tick()
    void call(2)
    await vi.advanceTimersByTimeAsync(LIMITS.maxDelayMs)
    expect(ids()).toEqual([[1]])
    await vi.advanceTimersByTimeAsync(1)
    expect(ids()).toEqual([[1], [2]])
  })

  it('rejects all calls of a batch that failed, and no others', async () => {
    const { call, batches } = manualBatch()
    const first = settled(call(1))
    await tick()
    const calls = [first, ...[2, 3, 4, 5].map((id) => settled(call(id)))]
    await tick()
    const error = new Error('connection lost')
    batches[1]?.complete(error)
    batches[0]?.complete()
    expect(await Promise.all(calls)).toEqual([
      { result: 'result 1' },
      ...Array.from({ length: 4 }, () => ({ error })),
    ])
  })

  it('is behind while a full batch waits and batches complete, but not during an outage', async () => {
    const { batch, batches, call } = manualBatch()
    void call(1)
    await tick()
    for (let id = 2; id <= 8; id++) void call(id)
    await tick()
    expect(batch.isBehind).toBe(false)
    void call(9)
    expect(batch.isBehind).toBe(true)
    moveClock(LIMITS.stallThresholdMs + 1)
    expect(batch.isBehind).toBe(false)
    batches[0]?.complete()
    await tick()
    expect(batch.isBehind).toBe(false)
  })

  it('queues up to `maxQueued` calls while no batch completes', async () => {
    const { call, batches } = manualBatch({ maxQueued: 6 })
    const first = call(1)
    await tick()
    const calls = [first, ...[2, 3, 4, 5].map((id) => call(id))]
    await tick()
    calls.push(...[6, 7, 8, 9, 10, 11].map((id) => call(id)))
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await settled(call(12))).toEqual({ error: expect.any(Overloaded) })
    batches[0]?.complete()
    await tick()
    const later = call(13)
    for (let i = 0; i < 6; i++) {
      for (const { complete } of batches) complete()
      await vi.advanceTimersByTimeAsync(60)
    }
    expect(await Promise.all([...calls, later])).toHaveLength(12)
  })

  it('rejects calls at their deadline, queued or in flight', async () => {
    const { call, batches, ids } = manualBatch()
    const deadline = performance.now() + 100
    const calls = [1, 2, 3].map((id) => settled(call(id, deadline)))
    const withoutDeadline = call(4)
    // A step of the wall clock moves no deadline.
    vi.setSystemTime(0)
    await vi.advanceTimersByTimeAsync(160)
    const late = { error: expect.any(DeadlineExceeded) }
    expect(await Promise.all(calls)).toEqual([late, late, late])
    for (const { complete } of batches) complete()
    await vi.advanceTimersByTimeAsync(60)
    for (const { complete } of batches) complete()
    expect(await withoutDeadline).toBe('result 4')
    expect(
      ids()
        .flat()
        .filter((id) => id === 4),
    ).toHaveLength(1)
  })

  it('does not dispatch calls of a completed request', async () => {
    const { call, batches, ids } = manualBatch()
    const [completed, open] = [{ isCompleted: false }, { isCompleted: false }]
    void call(1)
    await tick()
    const abandoned = settled(call(2, NEVER, completed))
    void call(3, NEVER, open)
    completed.isCompleted = true
    batches[0]?.complete()
    await tick()
    expect(await abandoned).toEqual({ error: expect.any(Abandoned) })
    expect(ids()).toEqual([[1], [3]])
    batches[1]?.complete()
    await tick()
    const late = settled(call(4, NEVER, completed))
    await tick()
    expect(await late).toEqual({ error: expect.any(Abandoned) })
    expect(ids()).toEqual([[1], [3]])
  })

  it('removes calls of completed requests from the queue while no batch completes', async () => {
    const { call } = manualBatch({ maxQueued: 2 })
    const completed = { isCompleted: false }
    const first = settled(call(1, NEVER, completed))
    await tick()
    const others = [2, 3].map((id) => settled(call(id, NEVER, completed)))
    completed.isCompleted = true
    await vi.advanceTimersByTimeAsync(60)
    const abandoned = { error: expect.any(Abandoned) }
    expect(await Promise.all([first, ...others])).toEqual([abandoned, abandoned, abandoned])
    // A second batch is dispatched while the first one hangs.
    void call(5)
    await tick()
    for (const id of [6, 7]) void call(id)
    expect(await settled(call(8))).toEqual({ error: expect.any(Overloaded) })
  })

  it('has timers only while calls are pending', async () => {
    const { call, batches } = manualBatch()
    const only = call(1)
    await tick()
    // One timer checks deadlines, the other ends the delay of the next batch.
    expect(vi.getTimerCount()).toBe(2)
    batches[0]?.complete()
    await only
    await vi.advanceTimersByTimeAsync(60)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('in any interleaving', () => {
  const arrivals = fc.array(
    fc.record({
      keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 2 }),
      fails: fc.boolean(),
      disconnects: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  const limits = fc.record({
    maxInFlight: fc.integer({ min: 1, max: 3 }),
    maxItems: fc.integer({ min: 1, max: 5 }),
  })

  it('sends each item once, in the order of its keys, and returns its own result unless its request completed', async () => {
    vi.useRealTimers()
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), arrivals, limits, async (scheduler, inputs, some) => {
        let inFlight = 0
        const requests = inputs.map(() => ({ isCompleted: false }))
        const sent: Item[] = []
        const waiting = new Set<number>()
        const send = async (items: readonly Item[]) => {
          inFlight++
          expect(inFlight).toBeLessThanOrEqual(some.maxInFlight)
          expect(items.length).toBeLessThanOrEqual(some.maxItems)
          const keys = items.flatMap((item) => item.keys)
          expect(new Set(keys).size).toBe(keys.length)
          for (const id of waiting) if (requests[id]?.isCompleted) waiting.delete(id)
          // No item starves: every batch contains the oldest waiting item.
          expect(items[0]?.id).toBe([...waiting][0])
          for (const { id } of items) waiting.delete(id)
          sent.push(...items)
          await scheduler.schedule(Promise.resolve(), 'the result')
          inFlight--
          if (items.some(({ id }) => inputs[id]?.fails)) throw items
          return items.map(({ id }) => id)
        }
        const batch = new Batch(send, ({ keys }) => keys, { ...LIMITS, ...some })
        const outcomes: unknown[][] = inputs.map(() => [])
        const calls = inputs.map(async ({ keys, disconnects }, id) => {
          const request = requests[id]
          if (disconnects && request) {
            void scheduler
              .schedule(Promise.resolve(), 'a disconnect')
              .then(() => (request.isCompleted = true))
          }
          await scheduler.schedule(Promise.resolve(), 'a call').then(async () => {
            waiting.add(id)
            await batch.call({ id, keys }, { deadline: NEVER, requestContext: request }).then(
              (result) => outcomes[id]?.push(result),
              (failedBatch: unknown) => outcomes[id]?.push(failedBatch),
            )
          })
        })
        await scheduler.waitFor(Promise.all(calls))
        const abandonedIds = new Set<number>()
        for (const [id, outcome] of outcomes.entries()) {
          expect(outcome).toHaveLength(1)
          const [only] = outcome
          const abandoned = only instanceof Abandoned
          if (abandoned) abandonedIds.add(id)
          expect(abandoned && !requests[id]?.isCompleted).toBe(false)
          const failed = Array.isArray(only) && only.some((item: Item) => inputs[item.id]?.fails)
          expect(abandoned || failed || only).toBe(abandoned || failed || id)
        }
        const ids = new Set(sent.map(({ id }) => id))
        expect(ids.size).toBe(sent.length)
        // A request may complete while its item is in flight.
        for (const id of inputs.keys()) expect(ids.has(id) || abandonedIds.has(id)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})
