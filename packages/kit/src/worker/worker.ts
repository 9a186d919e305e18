import type { Logger } from '../telemetry/logger.js'
import { withTimeout } from './with-timeout.js'
import type { WorkerMetrics } from './worker-metrics.js'

/**
 * The result of a run: `more` if work is left, `done` if the worker is no longer needed, otherwise nothing.
 */
export type RunResult = 'more' | 'done' | void

/**
 * Calls `run` if no other replica holds the lease, otherwise returns `held`. The lease lasts until `run`
 * settles, or until its holder crashes or disconnects. `Context` is what the lease passes to a run, such as
 * its transaction.
 */
export type Lease<Context> = (
  run: (context: Context) => Promise<RunResult>,
) => Promise<RunResult | 'held'>

interface Schedule {
  /** Label in the metrics and the log. */
  readonly name: string
  readonly intervalMs: number
  /**
   * Maximum deviation from the interval, as a fraction of it, so that replicas started together drift apart.
   */
  readonly jitter?: number
}

interface Leased<Context> extends Schedule {
  readonly lease: Lease<Context>
  readonly run: (context: Context) => Promise<RunResult>
}

interface Unleased extends Schedule {
  readonly lease?: undefined
  readonly run: () => Promise<RunResult>
}

export type WorkerOptions<Context = never> = Leased<Context> | Unleased

const DEFAULT_JITTER = 0.2
/**
 * Pause before the next run if work is left, so that requests get the event loop and the database in between.
 */
const MORE_PAUSE_MS = 20
/** How long a shutdown waits for the current run. */
const STOP_TIMEOUT_MS = 1_000

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

  /** Starts the worker with an immediate run. */
  start() {
    if (this.state !== 'new') return
    this.state = 'started'
    this.begin()
  }

  /** Runs immediately or, if a run is in progress, once more after it. */
  wake() {
    if (this.current) this.isWoken = true
    else this.begin()
  }

  /** Starts no further run and waits for the current one, but no longer than `STOP_TIMEOUT_MS`. */
  async stop() {
    this.state = 'stopped'
    clearTimeout(this.timer)
    if (this.current) await withTimeout(this.current, STOP_TIMEOUT_MS)
  }

  private begin() {
    if (this.state !== 'started') return
    clearTimeout(this.timer)
    this.isWoken = false
    this.current = this.attempt().then((result) => {
      this.current = undefined
      if (result === 'done') this.state = 'stopped'
      else this.schedule(result)
    })
  }

  private schedule(result: RunResult | 'held') {
    if (this.state !== 'started') return
    this.timer = setTimeout(() => this.begin(), this.pauseMs(result)).unref()
  }

  private pauseMs(result: RunResult | 'held'): number {
    if (this.isWoken) return 0
    if (result === 'more') return MORE_PAUSE_MS
    const { intervalMs, jitter = DEFAULT_JITTER } = this.options
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
      if (!this.isFailing) this.log.warn({ err: error, worker: name }, 'worker failed, retrying')
      this.isFailing = true
      return undefined
    }
  }
}
