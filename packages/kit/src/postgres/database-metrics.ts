import { Counter, Histogram, Registry } from 'prom-client'
import type { DataSource } from 'typeorm'
import { countBy, observableGauge } from '../telemetry/metrics.js'
import { WorkerMetrics } from '../worker/worker.js'
import { poolOf } from './pool-options.js'

export type DatabaseMetrics = ReturnType<typeof databaseMetrics>

/** Metrics of statements, batches and retries. Commands pass no registry: nothing reads their metrics. */
export function databaseMetrics(registry = new Registry(), workers = new WorkerMetrics(registry)) {
  const registers = [registry]
  const retries = {
    name: 'db_retries_total',
    help: 'Retried statements by verdict on the failed attempt: not_applied, conflict (deadlock or serialization failure), in_doubt (may have been committed)',
    label: 'verdict',
  }
  return {
    workers,
    statementSeconds: new Histogram({
      name: 'db_statement_duration_seconds',
      help: 'Time from sending a statement to its result, by the statement’s name',
      labelNames: ['statement'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 6],
      registers,
    }),
    poolWaitSeconds: new Histogram({
      name: 'db_pool_wait_seconds',
      help: 'Time that a statement waited for a connection of the pool',
      buckets: [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 3],
      registers,
    }),
    batchSize: new Histogram({
      name: 'db_batch_size',
      help: 'Calls served by one batched statement',
      buckets: [1, 2, 4, 8, 16, 32, 64],
      registers,
    }),
    unavailable: new Counter({
      name: 'db_unavailable_total',
      help: 'Operations that failed because the database did not respond within DB_WAIT_MS; a request gets 503',
      registers,
    }),
    retries: countBy(registry, retries, ['not_applied', 'conflict', 'in_doubt']),
  }
}

/** Registers gauges that read the state of the pool at each scrape. */
export function registerPoolMetrics(registry: Registry, dataSource: DataSource, max: number) {
  const pool = () => (dataSource.isInitialized ? poolOf(dataSource) : undefined)
  const connections = {
    name: 'db_pool_connections',
    help: 'Connections of the pool by state: busy, idle',
    labelNames: ['state' as const],
  }
  observableGauge(registry, connections, (gauge) => {
    const { totalCount = 0, idleCount = 0 } = pool() ?? {}
    gauge.set({ state: 'busy' }, totalCount - idleCount)
    gauge.set({ state: 'idle' }, idleCount)
  })
  const limit = { name: 'db_pool_connections_max', help: 'Maximum of the pool, DB_POOL_MAX' }
  observableGauge(registry, limit, (gauge) => gauge.set(max))
  const waiting = { name: 'db_pool_waiting', help: 'Statements that wait for a connection' }
  observableGauge(registry, waiting, (gauge) => gauge.set(pool()?.queuedCount ?? 0))
}
