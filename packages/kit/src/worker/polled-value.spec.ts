import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createLogger } from '../telemetry/logger.js'
import { PolledValue } from './polled-value.js'
import { WorkerMetrics } from './worker.js'
import { Workers } from './workers.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('a polled value is undefined before the first read, and 15 s after the last one', async () => {
  const workers = new Workers(createLogger('test', 'silent'), new WorkerMetrics(new Registry()))
  const read = vi.fn<() => Promise<string>>()
  const polled = new PolledValue(workers, 'test', read)
  expect(polled.value).toBeUndefined()
  read.mockResolvedValueOnce('first').mockRejectedValue(new Error('the database is down'))
  workers.onApplicationBootstrap()
  await vi.advanceTimersByTimeAsync(0)
  expect(polled.value).toBe('first')
  await vi.advanceTimersByTimeAsync(14_900)
  expect(polled.value).toBe('first')
  await vi.advanceTimersByTimeAsync(200)
  expect(polled.value).toBeUndefined()
  await workers.onModuleDestroy()
})
