import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common'
import { LOG, type Logger } from '../telemetry/logger.js'
import { Worker, WorkerMetrics, type WorkerOptions } from './worker.js'

/** A service's background workers, which start with the service and stop before it drains. */
@Injectable()
export class Workers implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly workers: Pick<Worker, 'start' | 'stop'>[] = []

  constructor(
    @Inject(LOG) private readonly log: Logger,
    @Inject(WorkerMetrics) private readonly metrics: WorkerMetrics,
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
