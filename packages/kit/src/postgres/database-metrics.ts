import { Counter, Histogram, Registry } from 'prom-client'
import { countBy, observableGauge } from '../telemetry/metrics.js'
import { WorkerMetrics } from '../worker/worker-metrics.js'
import type { RetryVerdict } from './retry.js'

/** Seconds. Statements take a millisecond or two, and at most the query timeout. */
const STATEMENT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 6]
/** Seconds. Most statements get an idle connection at once. */
const WAIT_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 3]
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64]

export interface PoolState {
  /** Connections, busy and idle. */
  readonly total: number
  readonly idle: number
  /** Statements that wait for a connection. */
  readonly waiting: number
}

/** Metrics of statements, batches, retries and the connection pool. */
export class DatabaseMetrics {
  private readonly retries
  private readonly statements: Histogram<'statement'>
  private readonly poolWaits: Histogram
  private readonly batchSizes: Histogram
  private readonly unavailable: Counter
  private readonly overloads: Counter

  /** Without a registry, as in a command, nothing reads the metrics. */
  constructor(
    private readonly registry = new Registry(),
    readonly workers = new WorkerMetrics(registry),
  ) {
    const registers = [registry]
    this.statements = new Histogram({
      name: 'db_statement_duration_seconds',
      help: 'Time from sending a statement to its result, by the statement’s name',
      labelNames: ['statement'],
      buckets: STATEMENT_BUCKETS,
      registers,
    })
    this.poolWaits = new Histogram({
      name: 'db_pool_wait_seconds',
      help: 'Time that a statement waited for a connection of the pool',
      buckets: WAIT_BUCKETS,
      registers,
    })
    this.batchSizes = new Histogram({
      name: 'db_batch_size',
      help: 'Calls served by one batched statement',
      buckets: BATCH_BUCKETS,
      registers,
    })
    this.overloads = new Counter({
      name: 'db_overloaded_total',
      help: 'Requests rejected with 503 because they arrived faster than the database executes them',
      registers,
    })
    this.unavailable = new Counter({
      name: 'db_unavailable_total',
      help: 'Operations that failed because the database did not respond within DB_WAIT_MS; a request gets 503',
      registers,
    })
    const retries = {
      name: 'db_retries_total',
      help: 'Retried statements by verdict on the failed attempt: not_applied, conflict (deadlock or serialization failure), in_doubt (may have been committed)',
      label: 'verdict',
    }
    this.retries = countBy(registry, retries, ['not_applied', 'conflict', 'in_doubt'])
  }

  observePoolWait(seconds: number) {
    this.poolWaits.observe(seconds)
  }

  observeStatement(statement: string, seconds: number) {
    this.statements.observe({ statement }, seconds)
  }

  observeBatch(size: number) {
    this.batchSizes.observe(size)
  }

  countRetry(verdict: Exclude<RetryVerdict, 'final'>) {
    this.retries[verdict].inc()
  }

  countOverload() {
    this.overloads.inc()
  }

  countUnavailable() {
    this.unavailable.inc()
  }

  /** Registers gauges that read the pool's state at each scrape. */
  registerPool(state: () => PoolState, max: number) {
    const { registry } = this
    const connections = {
      name: 'db_pool_connections',
      help: 'Connections of the pool by state: busy, idle',
      labelNames: ['state' as const],
    }
    observableGauge(registry, connections, (gauge) => {
      const { total, idle } = state()
      gauge.set({ state: 'busy' }, total - idle)
      gauge.set({ state: 'idle' }, idle)
    })
    const limit = { name: 'db_pool_connections_max', help: 'Maximum of the pool, DB_POOL_MAX' }
    observableGauge(registry, limit, (gauge) => gauge.set(max))
    const waiting = { name: 'db_pool_waiting', help: 'Statements that wait for a connection' }
    observableGauge(registry, waiting, (gauge) => gauge.set(state().waiting))
  }
}
