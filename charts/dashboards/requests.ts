import type { DashboardSpec } from './dashboard.ts'
import { timeSeries, ratio, quantile, rate, RELEASE } from './panels.ts'

/** The rows on requests and statements in the dashboards of both services. */
export function requestRows(app: 'auth' | 'payments'): DashboardSpec['rows'] {
  const of = `${RELEASE},app="${app}"`
  return { Requests: requests(of), Database: statements(of) }
}

function requests(of: string) {
  const calls = `${of},route!~"/(metrics|health.*)"`
  const rejected = rate(
    'http_request_duration_seconds_count',
    `${calls},status_code=~"4.."`,
    'route',
  )
  return [
    timeSeries({
      title: 'By status',
      unit: 'reqps',
      description: 'Requests per second.',
      queries: {
        '{{status_code}}': rate('http_request_duration_seconds_count', calls, 'status_code'),
      },
      span: 8,
    }),
    timeSeries({
      title: 'Response time by route, p99',
      unit: 's',
      description: '99th percentile by route.',
      queries: {
        '{{method}} {{route}}': quantile(
          0.99,
          'http_request_duration_seconds',
          calls,
          'method, route',
        ),
      },
      span: 8,
    }),
    timeSeries({
      title: 'Ratio of 4xx responses by route',
      unit: 'percentunit',
      description: 'A high ratio indicates a faulty client or an attack.',
      queries: {
        '{{route}}': ratio(rejected, rate('http_request_duration_seconds_count', calls, 'route')),
      },
      span: 8,
    }),
  ]
}

function statements(of: string) {
  return [
    timeSeries({
      title: 'Statement duration, p99',
      unit: 's',
      description: 'By statement, without the wait for a connection.',
      queries: {
        '{{statement}}': quantile(0.99, 'db_statement_duration_seconds', of, 'statement'),
      },
      span: 8,
    }),
    timeSeries({
      title: 'Pool connections',
      unit: 'short',
      description:
        'If all connections are active and statements wait, the pool is too small or the database too slow.',
      queries: {
        '{{state}}': `sum by (state) (db_pool_connections{${of}})`,
        maximum: `sum(db_pool_connections_max{${of}})`,
        'waiting statements': `sum(db_pool_waiting{${of}})`,
      },
      span: 8,
    }),
    timeSeries({
      title: 'Retries and failures',
      unit: 'cps',
      description: 'During a failover statements are retried; none should fail.',
      queries: {
        'retried, {{verdict}}': rate('db_retries_total', of, 'verdict'),
        unavailable: rate('db_unavailable_total', of),
      },
      span: 8,
    }),
  ]
}
