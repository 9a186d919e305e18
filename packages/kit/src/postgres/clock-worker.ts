import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { observableGauge } from '../telemetry/metrics.js'
import { Workers } from '../worker/workers.js'
import { clockOffsetMs, measureClock } from './clock.js'
import { Database } from './database.js'

/** Measures the offset of the process's clock while the service runs. `DatabaseStartup` measures it before. */
@Injectable()
export class ClockWorker {
  constructor(
    @Inject(Database) database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) registry: Registry,
  ) {
    const gauge = {
      name: 'clock_offset_seconds',
      help: 'Time by which the database’s clock is ahead of the process’s; the service corrects its times by it',
    }
    observableGauge(registry, gauge, (metric) => metric.set(clockOffsetMs() / 1000))
    const run = async () => {
      if (database.isOpen) await database.read(measureClock)
    }
    workers.add({ name: 'clock_offset_measure', intervalMs: 10_000, run })
  }
}
