import type { Page } from './page.ts'
import { graph, part, quantile, rate, RELEASE } from './panels.ts'

/** What the dashboards of both services say of requests and statements. */
export function requestRows(app: 'auth' | 'payments'): Page['rows'] {
  const of = `${RELEASE},app="${app}"`
  return { Requests: requests(of), Database: statements(of) }
}

function requests(of: string) {
  const calls = `${of},route!~"/(metrics|health.*)"`
  const refused = rate(
    'http_request_duration_seconds_count',
    `${calls},status_code=~"4.."`,
    'route',
  )
  return [
    graph({
      title: 'By status',
      unit: 'reqps',
      description: 'Requests a second.',
      queries: {
        '{{status_code}}': rate('http_request_duration_seconds_count', calls, 'status_code'),
      },
      span: 8,
    }),
    graph({
      title: 'Time of an answer, 99 of 100, by route',
      unit: 's',
      description: 'Within which 99 of 100 requests of a route are answered.',
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
    graph({
      title: 'Part refused (4xx), by route',
      unit: 'percentunit',
      description: 'Much of it is a client that does something wrong, or somebody who tries.',
      queries: {
        '{{route}}': part(refused, rate('http_request_duration_seconds_count', calls, 'route')),
      },
      span: 8,
    }),
  ]
}

function statements(of: string) {
  return [
    graph({
      title: 'Time of a statement, 99 of 100',
      unit: 's',
      description: 'By the name of the statement, without the wait for a connection.',
      queries: {
        '{{statement}}': quantile(0.99, 'db_statement_duration_seconds', of, 'statement'),
      },
      span: 8,
    }),
    graph({
      title: 'Connections of the pools',
      unit: 'short',
      description:
        'All of them busy, and statements that wait: the pool is too small or the database too slow.',
      queries: {
        '{{state}}': `sum by (state) (db_pool_connections{${of}})`,
        most: `sum(db_pool_connections_max{${of}})`,
        'statements that wait': `sum(db_pool_waiting{${of}})`,
      },
      span: 8,
    }),
    graph({
      title: 'Tried again, and given up',
      unit: 'cps',
      description:
        'A failover shows here: statements are tried again, and none should be given up.',
      queries: {
        'again, {{fate}}': rate('db_retries_total', of, 'fate'),
        'given up': rate('db_unavailable_total', of),
      },
      span: 8,
    }),
  ]
}
