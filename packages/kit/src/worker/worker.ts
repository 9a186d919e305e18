import { Inject, Injectable } from '@nestjs/common'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { Counter, Histogram, Registry } from 'prom-client'
import { HTTP_PROBLEMS, Problem } from '../http/problem.js'
import type { Logger } from '../telemetry/logger.js'
import { requestContext } from '../telemetry/request-context.js'
import { withTimeout } from './with-timeout.js'

/** The result of a run: `more` if work is left, `done` if the worker is no longer needed. */
export type RunResult = 'more' | 'done' | void

/**
 * Calls `run` if no other replica holds the lease, otherwise returns `held`. The lease lasts until `run`
 * settles, or until its holder crashes or disconnects. `Context` is what a run gets, such as its transaction.
 */
export type Lease<Context> = (
  run: (context: Context) => Promise<RunResult>,
) => Promise<RunResult | 'held'>

/** What a replica does: serve requests, or do the work that no request waits for. */
export const ROLES = ['api', 'worker'] as const
export type Role = (typeof ROLES)[number]

interface Schedule {
  /** The worker's label in metrics and logs. */
  readonly name: string
  readonly intervalMs: number
  /** Maximum random deviation, as a fraction of the interval: replicas started together drift apart. */
  readonly jitter?: number
  /** Set if only replicas with this role run the worker. */
  readonly role?: Exclude<Role, 'api'>
}

export type WorkerOptions<Context = never> = Schedule &
  (
    | { readonly lease: Lease<Context>; readonly run: (context: Context) => Promise<RunResult> }
    | { readonly lease?: undefined; readonly run: () => Promise<RunResult> }
  )

/** Repeats one piece of background work until the process shuts down. Runs never overlap. */
export class Worker<Context = never> {
  private state: 'new' | 'started' | 'stopped' = 'new'
  private timer: NodeJS.Timeout | undefined
  private current: Promise<void> | undefined
  private isWoken = false
  private isFailing = false

  constructor(
    private readonly options: WorkerOptions<Context>,
    private readonly log: Logger,
    private readonly metrics: WorkerMetrics,
    private readonly random: () => number = Math.random,
  ) {
    metrics.register(options.name)
  }

  start() {
    if (this.state !== 'new') return
    this.state = 'started'
    this.begin()
  }

  /** Starts a run immediately or, if one is in progress, right after it. */
  wake() {
    if (this.current) this.isWoken = true
    // The run, and every later one, would otherwise belong to the request, and to its trace, that wakes the worker.
    else requestContext.exit(() => context.with(ROOT_CONTEXT, () => this.begin()))
  }

  /** Starts no further run and waits for the current one, but no longer than a second. */
  async stop() {
    this.state = 'stopped'
    clearTimeout(this.timer)
    if (this.current) await withTimeout(this.current, 1_000)
  }

  private begin() {
    if (this.state !== 'started') return
    clearTimeout(this.timer)
    this.isWoken = false
    this.current = this.attempt().then((result) => {
      this.current = undefined
      if (result === 'done') this.state = 'stopped'
      if (this.state !== 'started') return
      this.timer = setTimeout(() => this.begin(), this.pauseMs(result)).unref()
    })
  }

  private pauseMs(result: RunResult | 'held'): number {
    if (this.isWoken) return 0
    // Pauses so that requests can use the event loop and the database between runs.
    if (result === 'more') return 20
    const { intervalMs, jitter = 0.2 } = this.options
    return intervalMs * (1 + jitter * (2 * this.random() - 1))
  }

  private async attempt(): Promise<RunResult | 'held'> {
    const { name, lease, run } = this.options
    const observe = this.metrics.startRun(name)
    try {
      const result = await (lease ? lease(run) : run())
      if (result === 'held') return result
      observe('ok')
      if (this.isFailing) this.log.info({ worker: name }, 'worker recovered')
      this.isFailing = false
      return result
    } catch (error) {
      observe('failed')
      // The dependency that is unavailable logs that itself, once for all its users.
      if (error instanceof Problem && error.kind === HTTP_PROBLEMS.unavailable) {
        this.log.debug({ err: error, worker: name }, 'worker failed, retrying')
        return undefined
      }
      if (!this.isFailing) this.log.warn({ err: error, worker: name }, 'worker failed, retrying')
      this.isFailing = true
      return undefined
    }
  }
}

@Injectable()
export class WorkerMetrics {
  private readonly runs: Counter<'worker' | 'outcome'>
  private readonly duration: Histogram<'worker'>

  constructor(@Inject(Registry) registry: Registry) {
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

  /** Exports a worker's counters from startup, so that `rate()` includes the worker's first failure. */
  register(worker: string) {
    for (const outcome of ['ok', 'failed']) this.runs.inc({ worker, outcome }, 0)
  }

  /** Returns a function to call with the outcome when the run ends. */
  startRun(worker: string): (outcome: 'ok' | 'failed') => void {
    const stopTimer = this.duration.startTimer({ worker })
    return (outcome) => {
      stopTimer()
      this.runs.inc({ worker, outcome })
    }
  }
}
