import {
  Abandoned,
  type RequestContext,
  requestContext,
} from '@malipo/kit/telemetry/request-context'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { PasswordHasher } from './hashing.js'

/** A hasher with one thread. `A1` is account 1 in network A. */
function oneThread() {
  const registry = new Registry()
  const hasher = new PasswordHasher({ BCRYPT_COST: 4, UV_THREADPOOL_SIZE: 2 }, registry)
  const flow = (name: string) => ({ network: name.slice(0, 1), caller: name })
  const started: string[] = []
  const completions: (() => void)[] = []
  const enqueue = (name: string, options = {}) => {
    const work = () => {
      started.push(name)
      return new Promise<string>((resolve) => completions.push(() => resolve(name)))
    }
    const result = hasher.enqueue(flow(name), work, options)
    result.catch(() => undefined)
    return result
  }
  /** Completes the work that runs, until no more starts. */
  const completeAll = async () => {
    for (let complete = completions.shift(); complete; complete = completions.shift()) {
      complete()
      await new Promise(setImmediate)
    }
  }
  const queued = async () =>
    Number(/^password_hashes_queued (\d+)/m.exec(await registry.metrics())?.[1])
  return { hasher, flow, enqueue, started, completeAll, queued }
}

const newContext = (waitMs = 60_000): RequestContext => ({
  requestId: 'id',
  traceId: undefined,
  deadline: performance.now() + waitMs,
  isCompleted: false,
})

function disconnect(context: RequestContext) {
  context.isCompleted = true
  context.onCompleted?.()
}

describe('the queue for bcrypt', () => {
  it('serves networks in turn, and accounts in turn within a network', async () => {
    const { enqueue, started, completeAll } = oneThread()
    for (const name of ['A1', 'A1', 'A1', 'A1', 'A2', 'B1', 'B1']) void enqueue(name)
    await completeAll()
    expect(started).toEqual(['A1', 'A1', 'B1', 'A2', 'B1', 'A1', 'A1'])
  })

  it('rejects the newest call of the longest flow with 503 if it is full', async () => {
    const { enqueue, completeAll } = oneThread()
    const busy = Array.from({ length: 201 }, () => enqueue('A1'))
    const other = enqueue('B1')
    await expect(busy[200]).rejects.toMatchObject({
      kind: { status: 503 },
      extras: { retryAfterSeconds: 5 },
    })
    await expect(enqueue('A1')).rejects.toMatchObject({ kind: { status: 503 } })
    await completeAll()
    expect(await other).toBe('B1')
    expect(await Promise.all(busy.slice(0, 200))).toHaveLength(200)
  })

  it('rejects a call with 503 in time for its deadline', async () => {
    const { enqueue, started, completeAll, queued } = oneThread()
    void enqueue('A1')
    const context = newContext(50)
    const late = requestContext.run(context, () => enqueue('A2'))
    await expect(late).rejects.toMatchObject({ kind: { status: 503 } })
    expect(performance.now()).toBeGreaterThan(context.deadline - 25)
    expect(await queued()).toBe(0)
    await completeAll()
    expect(started).toEqual(['A1'])
  })

  it('uses the thread for the next call after one that failed', async () => {
    const { hasher, flow } = oneThread()
    const failing = hasher.enqueue(flow('A1'), () => Promise.reject(new Error('no')))
    const next = hasher.enqueue(flow('A1'), () => Promise.resolve('next'))
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('next')
  })
})

describe('a call whose client has disconnected', () => {
  it('leaves the queue at once, and is not hashed', async () => {
    const { enqueue, started, completeAll, queued } = oneThread()
    void enqueue('A1')
    const context = newContext()
    const abandoned = requestContext.run(context, () => enqueue('A2'))
    expect(await queued()).toBe(1)
    disconnect(context)
    await expect(abandoned).rejects.toThrow(Abandoned)
    expect(await queued()).toBe(0)
    await completeAll()
    expect(started).toEqual(['A1'])
  })

  it('is not enqueued', async () => {
    const { enqueue, started } = oneThread()
    const context = newContext()
    disconnect(context)
    await expect(requestContext.run(context, () => enqueue('A1'))).rejects.toThrow(Abandoned)
    expect(started).toEqual([])
  })

  it('is hashed if the work does not belong to a response', async () => {
    const { enqueue, completeAll } = oneThread()
    void enqueue('A1')
    const context = newContext()
    const rehash = requestContext.run(context, () => enqueue('A2', { evenIfAborted: true }))
    disconnect(context)
    await completeAll()
    expect(await rehash).toBe('A2')
  })

  it('returns no hash if the client disconnects during the work', async () => {
    const { hasher, flow } = oneThread()
    const context = newContext()
    const hashing = requestContext.run(context, () => hasher.hash('correct horse', flow('A1')))
    disconnect(context)
    await expect(hashing).rejects.toThrow(Abandoned)
  })
})
