import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Abandoned, Batch, type BatchLimits, Overloaded, DeadlineExceeded } from './batch.js'

interface Item {
  readonly id: number
  readonly keys: readonly string[]
}

const LIMITS: BatchLimits = {
  maxInFlight: 2,
  maxItems: 4,
  maxQueued: 1_000,
  maxDelayMs: 10,
  maxQueueTimeMs: 100,
  stallThresholdMs: 500,
}
const NEVER = Number.MAX_SAFE_INTEGER

/** A carrier whose crowds come back when the test says so. */
function carrier(limits: Partial<BatchLimits> = {}) {
  const crowds: { items: readonly Item[]; back: (error?: Error) => void }[] = []
  const send = (items: readonly Item[]) =>
    new Promise<string[]>((resolve, reject) => {
      const back = (error?: Error) =>
        error ? reject(error) : resolve(items.map(({ id }) => `result ${id}`))
      crowds.push({ items, back })
    })
  const batch = new Batch<Item, string>(send, ({ keys }) => keys, { ...LIMITS, ...limits })
  const call = (id: number, deadline = NEVER, requestContext?: { isCompleted: boolean }) =>
    batch.call({ id, keys: [] }, { deadline, requestContext })
  return { batch, crowds, call, ids: () => crowds.map(({ items }) => items.map(({ id }) => id)) }
}

/** The event loop's turn ends. */
const turn = () => vi.advanceTimersByTimeAsync(0)

const settled = async (promise: Promise<unknown>) =>
  promise.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  )

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a batch', () => {
  it('sends at once what comes alone, and together what comes meanwhile', async () => {
    const { call, crowds, ids } = carrier()
    const first = call(1)
    await turn()
    expect(ids()).toEqual([[1]])
    const others = [call(2), call(3)]
    await turn()
    expect(ids()).toEqual([[1]])
    crowds[0]?.back()
    expect(await first).toBe('result 1')
    await turn()
    expect(ids()).toEqual([[1], [2, 3]])
    crowds[1]?.back()
    expect(await Promise.all(others)).toEqual(['result 2', 'result 3'])
  })

  it('sends together what a turn of the event loop brings', async () => {
    const { call, ids } = carrier()
    for (const id of [1, 2, 3]) void call(id)
    expect(ids()).toEqual([])
    await turn()
    expect(ids()).toEqual([[1, 2, 3]])
  })

  it('has a second crowd leave beside the first when it is full, and no third', async () => {
    const { call, ids } = carrier()
    void call(1)
    await turn()
    for (let id = 2; id <= 12; id++) void call(id)
    await turn()
    expect(ids()).toEqual([[1], [2, 3, 4, 5]])
  })

  it('does not wait long for a slow crowd', async () => {
    const { call, ids } = carrier()
    void call(1)
    await turn()
    void call(2)
    vi.setSystemTime(Date.now() + LIMITS.maxDelayMs + 1)
    void call(3)
    await turn()
    expect(ids()).toEqual([[1], [2, 3]])
  })

  it('nor when nothing else arrives, and its timer was early', async () => {
    const { call, ids } = carrier()
    void call(1)
    await turn()
    void call(2)
    vi.setSystemTime(Date.now() - 5)
    await vi.advanceTimersByTimeAsync(LIMITS.maxDelayMs + 1)
    expect(ids()).toEqual([[1]])
    await vi.advanceTimersByTimeAsync(LIMITS.maxDelayMs + 1)
    expect(ids()).toEqual([[1], [2]])
  })

  it('sends what waits for a slow crowd although nothing else arrives', async () => {
    const { call, ids } = carrier()
    void call(1)
    await turn()
    void call(2)
    await vi.advanceTimersByTimeAsync(LIMITS.maxDelayMs)
    expect(ids()).toEqual([[1]])
    await vi.advanceTimersByTimeAsync(1)
    expect(ids()).toEqual([[1], [2]])
  })

  it('gives a crowd’s error to all of it, and to no one else', async () => {
    const { call, crowds } = carrier()
    const first = settled(call(1))
    await turn()
    const calls = [first, ...[2, 3, 4, 5].map((id) => settled(call(id)))]
    await turn()
    const error = new Error('cut off')
    crowds[1]?.back(error)
    crowds[0]?.back()
    expect(await Promise.all(calls)).toEqual([
      { result: 'result 1' },
      ...Array.from({ length: 4 }, () => ({ error })),
    ])
  })

  it('turns away at once who would wait too long while crowds come back', async () => {
    const { call, crowds } = carrier()
    void call(1)
    await turn()
    for (let id = 2; id <= 11; id++) void call(id)
    await turn()
    vi.setSystemTime(Date.now() + LIMITS.maxQueueTimeMs + 1)
    crowds[0]?.back()
    await turn()
    expect(await settled(call(12))).toEqual({ error: expect.any(Overloaded) })
    crowds[1]?.back()
    crowds[2]?.back()
    await turn()
    // The last of the queue has left: whoever comes now is let in.
    const late = call(13)
    for (let i = 0; i < 3; i++) {
      for (const { back } of crowds) back()
      await vi.advanceTimersByTimeAsync(60)
    }
    expect(await late).toBe('result 13')
  })

  it('keeps who waits for a carrier that does not answer, up to a number', async () => {
    const { call, crowds } = carrier({ maxQueued: 6 })
    const first = call(1)
    await turn()
    const calls = [first, ...[2, 3, 4, 5].map((id) => call(id))]
    await turn()
    calls.push(...[6, 7, 8, 9, 10, 11].map((id) => call(id)))
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await settled(call(12))).toEqual({ error: expect.any(Overloaded) })
    crowds[0]?.back()
    await turn()
    // The outage is over, and the wait for it is not held against those who come now.
    const later = call(13)
    for (let i = 0; i < 6; i++) {
      for (const { back } of crowds) back()
      await vi.advanceTimersByTimeAsync(60)
    }
    expect(await Promise.all([...calls, later])).toHaveLength(12)
  })

  it('lets go whose time is over, waiting or under way', async () => {
    const { call, crowds, ids } = carrier()
    const deadline = Date.now() + 100
    const calls = [1, 2, 3].map((id) => settled(call(id, deadline)))
    const patient = call(4)
    await vi.advanceTimersByTimeAsync(160)
    const late = { error: expect.any(DeadlineExceeded) }
    expect(await Promise.all(calls)).toEqual([late, late, late])
    for (const { back } of crowds) back()
    await vi.advanceTimersByTimeAsync(60)
    for (const { back } of crowds) back()
    expect(await patient).toBe('result 4')
    expect(
      ids()
        .flat()
        .filter((id) => id === 4),
    ).toHaveLength(1)
  })

  it('does not send what is for a request that is over', async () => {
    const { call, crowds, ids } = carrier()
    const [gone, patient] = [{ isCompleted: false }, { isCompleted: false }]
    void call(1)
    await turn()
    const left = settled(call(2, NEVER, gone))
    void call(3, NEVER, patient)
    gone.isCompleted = true
    crowds[0]?.back()
    await turn()
    expect(await left).toEqual({ error: expect.any(Abandoned) })
    expect(ids()).toEqual([[1], [3]])
    crowds[1]?.back()
    await turn()
    const late = settled(call(4, NEVER, gone))
    await turn()
    expect(await late).toEqual({ error: expect.any(Abandoned) })
    expect(ids()).toEqual([[1], [3]])
  })

  it('keeps no place for a request that is over while nothing comes back', async () => {
    const { call } = carrier({ maxQueued: 2 })
    const gone = { isCompleted: false }
    const first = settled(call(1, NEVER, gone))
    await turn()
    const others = [2, 3].map((id) => settled(call(id, NEVER, gone)))
    gone.isCompleted = true
    await vi.advanceTimersByTimeAsync(60)
    const abandoned = { error: expect.any(Abandoned) }
    expect(await Promise.all([first, ...others])).toEqual([abandoned, abandoned, abandoned])
    // One leaves beside the crowd that does not come back.
    void call(5)
    await turn()
    for (const id of [6, 7]) void call(id)
    expect(await settled(call(8))).toEqual({ error: expect.any(Overloaded) })
  })

  it('looks at the clock only while something is to be done', async () => {
    const { call, crowds } = carrier()
    const only = call(1)
    await turn()
    // One for deadlines, one for the crowd that may be slow.
    expect(vi.getTimerCount()).toBe(2)
    crowds[0]?.back()
    await only
    await vi.advanceTimersByTimeAsync(60)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('under any interleaving', () => {
  const arrivals = fc.array(
    fc.record({
      keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 2 }),
      fails: fc.boolean(),
      leaves: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  const limits = fc.record({
    maxInFlight: fc.integer({ min: 1, max: 3 }),
    maxItems: fc.integer({ min: 1, max: 5 }),
  })

  it('each item is sent once, in the order of its key, and gets the result of its own, unless its request is over', async () => {
    vi.useRealTimers()
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), arrivals, limits, async (scheduler, wishes, some) => {
        let underWay = 0
        const requests = wishes.map(() => ({ isCompleted: false }))
        const sent: Item[] = []
        const waiting = new Set<number>()
        const send = async (items: readonly Item[]) => {
          underWay++
          expect(underWay).toBeLessThanOrEqual(some.maxInFlight)
          expect(items.length).toBeLessThanOrEqual(some.maxItems)
          const keys = items.flatMap((item) => item.keys)
          expect(new Set(keys).size).toBe(keys.length)
          for (const id of waiting) if (requests[id]?.isCompleted) waiting.delete(id)
          // Nobody starves: who has waited longest is always on board.
          expect(items[0]?.id).toBe([...waiting][0])
          for (const { id } of items) waiting.delete(id)
          sent.push(...items)
          await scheduler.schedule(Promise.resolve(), 'the answer')
          underWay--
          if (items.some(({ id }) => wishes[id]?.fails)) throw items
          return items.map(({ id }) => id)
        }
        const batch = new Batch(send, ({ keys }) => keys, { ...LIMITS, ...some })
        const outcomes: unknown[][] = wishes.map(() => [])
        const calls = wishes.map(async ({ keys, leaves }, id) => {
          const request = requests[id]
          if (leaves && request) {
            void scheduler
              .schedule(Promise.resolve(), 'a leave')
              .then(() => (request.isCompleted = true))
          }
          await scheduler.schedule(Promise.resolve(), 'an arrival').then(async () => {
            waiting.add(id)
            await batch.call({ id, keys }, { deadline: NEVER, requestContext: request }).then(
              (result) => outcomes[id]?.push(result),
              (crowd: unknown) => outcomes[id]?.push(crowd),
            )
          })
        })
        await scheduler.waitFor(Promise.all(calls))
        const left = new Set<number>()
        for (const [id, outcome] of outcomes.entries()) {
          expect(outcome).toHaveLength(1)
          const [only] = outcome
          const abandoned = only instanceof Abandoned
          if (abandoned) left.add(id)
          expect(abandoned && !requests[id]?.isCompleted).toBe(false)
          const failed = Array.isArray(only) && only.some((item: Item) => wishes[item.id]?.fails)
          expect(abandoned || failed || only).toBe(abandoned || failed || id)
        }
        const ids = new Set(sent.map(({ id }) => id))
        expect(ids.size).toBe(sent.length)
        // What was under way when its request ended was sent, too.
        for (const id of wishes.keys()) expect(ids.has(id) || left.has(id)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})
