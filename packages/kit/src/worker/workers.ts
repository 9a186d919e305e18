import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common'
import { LOG, type Logger } from '../telemetry/logger.js'
import { type Role, ROLES, Worker, WorkerMetrics, type WorkerOptions } from './worker.js'

/** The injection token of the roles of this replica. */
export const REPLICA_ROLES = Symbol('roles of the replica')

/** A service's background workers, which start with the service and stop before it drains. */
@Injectable()
export class Workers implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly workers = new Set<Pick<Worker, 'start' | 'stop'>>()

  constructor(
    @Inject(LOG) private readonly log: Logger,
    @Inject(WorkerMetrics) private readonly metrics: WorkerMetrics,
    @Inject(REPLICA_ROLES) private readonly roles: readonly Role[] = ROLES,
  ) {}

  /** Adds a worker, which starts when the application has been bootstrapped, if the replica has its role. */
  add<Context = never>(options: WorkerOptions<Context>): Worker<Context> {
    const worker = new Worker(options, this.log, this.metrics)
    if (!options.role || this.roles.includes(options.role)) this.workers.add(worker)
    return worker
  }

  /** Stops a worker that is no longer needed, as `Worker.stop` does. */
  async remove(worker: Pick<Worker, 'start' | 'stop'>): Promise<void> {
    this.workers.delete(worker)
    await worker.stop()
  }

  onApplicationBootstrap() {
    for (const worker of this.workers) worker.start()
  }

  async onModuleDestroy() {
    await Promise.all([...this.workers].map((worker) => worker.stop()))
  }
}
