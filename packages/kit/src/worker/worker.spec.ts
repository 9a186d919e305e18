import { Counter, Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HTTP_PROBLEMS, Problem } from '../http/problem.js'
import { createLogger } from '../telemetry/logger.js'
import { requestContext } from '../telemetry/request-context.js'
import { type RunResult, Worker, WorkerMetrics, type WorkerOptions } from './worker.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const INTERVAL_MS = 1_000
const MORE_PAUSE_MS = 20

/** A worker without jitter, with its log lines and metrics. */
function workerOf(
  run: () => Promise<RunResult>,
  options: Partial<WorkerOptions> = {},
  random?: () => number,
) {
  const log = createLogger('test', 'silent')
  const warn = vi.spyOn(log, 'warn')
  const info = vi.spyOn(log, 'info')
  const registry = new Registry()
  const metrics = new WorkerMetrics(registry)
  const all = { name: 'test', intervalMs: INTERVAL_MS, jitter: 0, run, ...options }
  const worker = new Worker(all as WorkerOptions, log, metrics, random)
  const runs = async (outcome: string) => {
    const counter = registry.getSingleMetric('worker_runs_total') as Counter
    const { values } = await counter.get()
    return values.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0
  }
  return { worker, warn, info, runs }
}

/** A run that ends when the test calls `finish`. */
function pendingRun() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { run: vi.fn(() => promise), finish: resolve }
}

const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('schedule', () => {
  it('runs at once when started, then after each interval', async () => {
    const run = vi.fn(async () => undefined)
    const { worker } = workerOf(run)
    expect(run).not.toHaveBeenCalled()
    worker.start()
    expect(run).toHaveBeenCalledTimes(1)
    await elapse(INTERVAL_MS - 1)
    expect(run).toHaveBeenCalledTimes(1)
    await elapse(1)
    expect(run).toHaveBeenCalledTimes(2)
    await elapse(3 * INTERVAL_MS)
    expect(run).toHaveBeenCalledTimes(5)
  })

  it.each([
    ['shortens', 0, 750],
    ['lengthens', 1, 1_250],
  ])('%s the interval by the jitter', async (_, random, expected) => {
    const run = vi.fn(async () => undefined)
    const { worker } = workerOf(run, { jitter: 0.25 }, () => random)
    worker.start()
    await elapse(expected - 1)
    expect(run).toHaveBeenCalledTimes(1)
    await elapse(1)
    expect(run).toHaveBeenCalledTimes(2)
  })

  it('runs again after a short pause while work is left', async () => {
    const results: RunResult[] = ['more', 'more', undefined]
    const run = vi.fn(async () => results.shift())
    const { worker } = workerOf(run)
    worker.start()
    await elapse(2 * MORE_PAUSE_MS)
    expect(run).toHaveBeenCalledTimes(3)
    await elapse(INTERVAL_MS - 1)
    expect(run).toHaveBeenCalledTimes(3)
    await elapse(1)
    expect(run).toHaveBeenCalledTimes(4)
  })

  it('does not run again after it reports that it is done', async () => {
    const run = vi.fn(async () => 'done' as const)
    const { worker } = workerOf(run)
    worker.start()
    await elapse(10 * INTERVAL_MS)
    worker.wake()
    expect(run).toHaveBeenCalledTimes(1)
  })

  it('never overlaps: the interval starts when a run ends', async () => {
    const { run, finish } = pendingRun()
    const { worker } = workerOf(run)
    worker.start()
    await elapse(5 * INTERVAL_MS)
    expect(run).toHaveBeenCalledTimes(1)
    finish()
    await elapse(INTERVAL_MS - 1)
    expect(run).toHaveBeenCalledTimes(1)
    await elapse(1)
    expect(run).toHaveBeenCalledTimes(2)
  })
})

describe('wake', () => {
  it('runs at once and restarts the interval', async () => {
    const run = vi.fn(async () => undefined)
    const { worker } = workerOf(run)
    worker.start()
    await elapse(INTERVAL_MS / 2)
    worker.wake()
    expect(run).toHaveBeenCalledTimes(2)
    await elapse(INTERVAL_MS - 1)
    expect(run).toHaveBeenCalledTimes(2)
    await elapse(1)
    expect(run).toHaveBeenCalledTimes(3)
  })

  it('during a run causes exactly one more run after it', async () => {
    const { run, finish } = pendingRun()
    const { worker } = workerOf(run)
    worker.start()
    worker.wake()
    worker.wake()
    expect(run).toHaveBeenCalledTimes(1)
    finish()
    await elapse(0)
    expect(run).toHaveBeenCalledTimes(2)
    await elapse(INTERVAL_MS - 1)
    expect(run).toHaveBeenCalledTimes(2)
  })

  it('starts a run that does not belong to the request that wakes the worker', async () => {
    const request = {
      requestId: 'a',
      traceId: undefined,
      deadline: performance.now() + 1_000,
      isCompleted: false,
    }
    const contexts: unknown[] = []
    const run = vi.fn(async () => void contexts.push(requestContext.getStore()))
    const { worker } = workerOf(run)
    worker.start()
    await elapse(0)
    requestContext.run(request, () => worker.wake())
    await elapse(INTERVAL_MS)
    expect(contexts).toEqual([undefined, undefined, undefined])
  })

  it('does nothing before the start', () => {
    const run = vi.fn(async () => undefined)
    workerOf(run).worker.wake()
    expect(run).not.toHaveBeenCalled()
  })
})

describe('stop', () => {
  it('prevents further runs', async () => {
    const run = vi.fn(async () => 'more' as const)
    const { worker } = workerOf(run)
    worker.start()
    await elapse(0)
    await worker.stop()
    worker.wake()
    worker.start()
    await elapse(10 * INTERVAL_MS)
    expect(run).toHaveBeenCalledTimes(1)
  })

  it('waits for the current run', async () => {
    const { run, finish } = pendingRun()
    const { worker } = workerOf(run)
    worker.start()
    worker.wake()
    const stopped = vi.fn()
    const stopping = worker.stop().then(stopped)
    await elapse(100)
    expect(stopped).not.toHaveBeenCalled()
    finish()
    await stopping
    await elapse(10 * INTERVAL_MS)
    expect(run).toHaveBeenCalledTimes(1)
  })

  it('waits for a run that hangs no longer than a second', async () => {
    const { worker } = workerOf(pendingRun().run)
    worker.start()
    const stopping = worker.stop()
    await elapse(1_001)
    await stopping
  })
})

describe('failure', () => {
  it('is logged once when it begins and once when it ends, and retried after the interval', async () => {
    let isDown = false
    const run = vi.fn(async () => {
      if (isDown) throw new Error('down')
    })
    const { worker, warn, info, runs } = workerOf(run)
    worker.start()
    await elapse(INTERVAL_MS)
    expect(info).not.toHaveBeenCalled()
    isDown = true
    await elapse(3 * INTERVAL_MS)
    expect(run).toHaveBeenCalledTimes(5)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]).toEqual([
      { err: new Error('down'), worker: 'test' },
      'worker failed, retrying',
    ])
    isDown = false
    await elapse(3 * INTERVAL_MS)
    expect(info.mock.calls).toEqual([[{ worker: 'test' }, 'worker recovered']])
    isDown = true
    await elapse(INTERVAL_MS)
    expect(warn).toHaveBeenCalledTimes(2)
    expect([await runs('ok'), await runs('failed')]).toEqual([5, 4])
  })
})

it('logs no line for a dependency that is unavailable, which logs that itself', async () => {
  const run = async () => {
    throw new Problem(HTTP_PROBLEMS.unavailable, 'The database is unavailable.')
  }
  const { worker, warn, info, runs } = workerOf(run)
  worker.start()
  await elapse(2 * INTERVAL_MS)
  expect([warn.mock.calls, info.mock.calls, await runs('failed')]).toEqual([[], [], 3])
})

describe('lease', () => {
  it('hands its context to the run', async () => {
    const run = vi.fn(async () => undefined)
    const lease = (work: (context: string) => Promise<RunResult>) => work('transaction')
    const { worker, runs } = workerOf(run, { lease } as object)
    worker.start()
    await elapse(0)
    expect(run.mock.calls).toEqual([['transaction']])
    expect(await runs('ok')).toBe(1)
  })

  it('held by another replica skips the run, which is not counted', async () => {
    const run = vi.fn(async () => undefined)
    const lease = vi.fn(async () => 'held' as const)
    const { worker, runs } = workerOf(run, { lease })
    worker.start()
    await elapse(INTERVAL_MS)
    expect(lease).toHaveBeenCalledTimes(2)
    expect(run).not.toHaveBeenCalled()
    expect([await runs('ok'), await runs('failed')]).toEqual([0, 0])
  })
})
