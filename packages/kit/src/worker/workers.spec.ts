import { Registry } from 'prom-client'
import { expect, it, vi } from 'vitest'
import { createLogger } from '../telemetry/logger.js'
import { WorkerMetrics } from './worker.js'
import { Workers } from './workers.js'

it('a worker starts only in a replica with its role', () => {
  const log = createLogger('test', 'silent')
  const started = (['api', 'worker'] as const).map((role) => {
    const workers = new Workers(log, new WorkerMetrics(new Registry()), [role])
    const options = { name: 'test', intervalMs: 1_000_000, run: async () => undefined }
    const worker = workers.add({ ...options, role: 'worker' })
    const start = vi.spyOn(worker, 'start').mockReturnValue()
    workers.onApplicationBootstrap()
    return start.mock.calls.length
  })
  expect(started).toEqual([0, 1])
})

it('a removed worker is stopped, and forgotten', async () => {
  const workers = new Workers(createLogger('test', 'silent'), new WorkerMetrics(new Registry()))
  const run = vi.fn(async () => undefined)
  const worker = workers.add({ name: 'test', intervalMs: 1_000_000, run })
  const start = vi.spyOn(worker, 'start')
  const stop = vi.spyOn(worker, 'stop')
  await workers.remove(worker)
  expect(stop).toHaveBeenCalledTimes(1)
  workers.onApplicationBootstrap()
  await workers.onModuleDestroy()
  expect([start.mock.calls.length, stop.mock.calls.length, run.mock.calls.length]).toEqual([
    0, 1, 0,
  ])
})
