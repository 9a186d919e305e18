import { Counter, Histogram, Registry } from 'prom-client'
import type { Database } from './database.js'
import { countBy, observableGauge } from '../telemetry/metrics.js'

/** How a service uses its database: its statements by name, its pool, and what was tried again. */

/** Seconds; a statement takes a millisecond or two, and at most its time limit. */
const STATEMENT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 6]
/** Seconds; most find a connection at once. */
const WAIT_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 3]
const CROWD_BUCKETS = [1, 2, 4, 8, 16, 32, 64]

export class DatabaseMetrics {
  /** One more for each time that a statement is tried again, by what was known of the try before. */
  readonly retries
  private readonly statements: Histogram<'statement'>
  private readonly known = new Map<string, Histogram.Internal<'statement'>>()
  private readonly waits: Histogram
  private readonly batchSizes: Histogram
  private readonly lost: Counter
  private readonly shed: Counter

  /** Without a registry, as in a command that nobody scrapes, the figures go nowhere. */
  constructor(private readonly registry = new Registry()) {
    const registers = [registry]
    this.statements = new Histogram({
      name: 'db_statement_duration_seconds',
      help: 'Time from a statement sent to its answer read, by the statement’s name',
      labelNames: ['statement'],
      buckets: STATEMENT_BUCKETS,
      registers,
    })
    this.waits = new Histogram({
      name: 'db_pool_wait_seconds',
      help: 'Time that a statement waited for a connection of the pool',
      buckets: WAIT_BUCKETS,
      registers,
    })
    this.batchSizes = new Histogram({
      name: 'db_statement_requests',
      help: 'Requests that one statement served, of the statements that requests share',
      buckets: CROWD_BUCKETS,
      registers,
    })
    this.shed = new Counter({
      name: 'db_overloaded_total',
      help: 'Requests turned away since more arrived than the database could be sent in time: a 503 each',
      registers,
    })
    this.lost = new Counter({
      name: 'db_unavailable_total',
      help: 'Requests, and work beside them, given up since the database could not answer within DB_WAIT_MS: a request is told 503',
      registers,
    })
    const retries = {
      name: 'db_retries_total',
      help: 'Statements tried again, by the fate of the try before: refused (surely not carried out), again (rolled back in favour of another), unknown (it may have been committed)',
      label: 'fate',
    }
    this.retries = countBy(registry, retries, ['refused', 'again', 'unknown'])
  }

  /** A statement waited this long for its connection, in seconds. */
  observePoolWait(seconds: number) {
    this.waits.observe(seconds)
  }

  /** A statement was answered, with rows or an error, after this many seconds. */
  observeStatement(statement: string, seconds: number) {
    let found = this.known.get(statement)
    if (!found) this.known.set(statement, (found = this.statements.labels(statement)))
    found.observe(seconds)
  }

  /** A statement went for this many requests. */
  observeBatch(requests: number) {
    this.batchSizes.observe(requests)
  }

  /** A request was told that too many came. */
  countOverload() {
    this.shed.inc()
  }

  /** A request was told that the database can’t be reached. */
  countUnavailable() {
    this.lost.inc()
  }

  /** Looks at the pool whenever somebody reads the metrics. */
  watch(database: Pick<Database, 'pool'>, most: number) {
    const { registry } = this
    const connections = {
      name: 'db_pool_connections',
      help: 'Connections of the pool by state: busy, idle',
      labelNames: ['state' as const],
    }
    observableGauge(registry, connections, (gauge) => {
      const { total, idle } = database.pool
      gauge.set({ state: 'busy' }, total - idle)
      gauge.set({ state: 'idle' }, idle)
    })
    const limit = 'Connections that the pool may have, DB_POOL_MAX'
    observableGauge(registry, { name: 'db_pool_connections_max', help: limit }, (gauge) =>
      gauge.set(most),
    )
    const waiting = 'Statements that wait for a connection of the pool'
    observableGauge(registry, { name: 'db_pool_waiting', help: waiting }, (gauge) =>
      gauge.set(database.pool.waiting),
    )
  }
}
