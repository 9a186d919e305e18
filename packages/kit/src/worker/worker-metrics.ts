import { Counter, Histogram, type Registry } from 'prom-client'

const OUTCOMES = ['ok', 'failed'] as const
type Outcome = (typeof OUTCOMES)[number]

/** Metrics of all workers of a process. */
export class WorkerMetrics {
  private readonly runs: Counter<'worker' | 'outcome'>
  private readonly duration: Histogram<'worker'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.runs = new Counter({
      name: 'worker_runs_total',
      help: 'Runs of background workers by outcome; a run is skipped, and not counted, while another replica holds the lease',
      labelNames: ['worker', 'outcome'],
      registers,
    })
    this.duration = new Histogram({
      name: 'worker_run_duration_seconds',
      help: 'Duration of a run of a background worker',
      labelNames: ['worker'],
      buckets: [0.01, 0.1, 1, 10],
      registers,
    })
  }

  /** Exports the counters of a worker from the start, so that `rate()` sees its first failure. */
  register(worker: string) {
    for (const outcome of OUTCOMES) this.runs.inc({ worker, outcome }, 0)
  }

  /** @returns a function to call with the outcome when the run ends */
  startRun(worker: string): (outcome: Outcome) => void {
    const stopTimer = this.duration.startTimer({ worker })
    return (outcome) => {
      stopTimer()
      this.runs.inc({ worker, outcome })
    }
  }
}
