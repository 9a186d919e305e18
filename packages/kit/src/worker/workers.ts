import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common'
import type { Logger } from '../telemetry/logger.js'
import { Worker, type WorkerOptions } from './worker.js'
import type { WorkerMetrics } from './worker-metrics.js'

/** The background workers of a service: they start with it and stop before it drains. */
export class Workers implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly workers: Pick<Worker, 'start' | 'stop'>[] = []

  constructor(
    private readonly log: Logger,
    private readonly metrics: WorkerMetrics,
  ) {}

  /** Adds a worker, which starts when the application has been bootstrapped. */
  add<Context = never>(options: WorkerOptions<Context>): Worker<Context> {
    const worker = new Worker(options, this.log, this.metrics)
    this.workers.push(worker)
    return worker
  }

  onApplicationBootstrap() {
    for (const worker of this.workers) worker.start()
  }

  async onModuleDestroy() {
    await Promise.all(this.workers.map((worker) => worker.stop()))
  }
}
