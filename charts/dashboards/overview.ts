import type { DashboardSpec } from './dashboard.ts'
import { timeSeries, detailsIn, stat, ratio, quantile, rate, RELEASE, table } from './panels.ts'

/** Entry point for on-call: alerts, objectives, traffic and dependencies. */

const requests = `${RELEASE},component="service",route!~"/(metrics|health.*)"`
const all = rate('http_request_duration_seconds_count', requests, 'app')
const failed = rate('http_request_duration_seconds_count', `${requests},status_code=~"5.."`, 'app')

/** Payment totals without duplicates: every replica exports the same values. */
const deduplicated = (metric: string, more: string) =>
  `max by (status, method, currency) (${metric}{${RELEASE}${more}})`

export const overview: DashboardSpec = {
  uid: 'malipo-overview',
  title: 'platform overview',
  description:
    'Alerts, objectives, traffic and dependencies. Each panel links to a more detailed dashboard.',
  rows: {
    Health: [
      table(
        {
          title: 'Firing alerts',
          unit: 'short',
          description: 'The column runbook links to the runbook of the alert.',
          queries: { '': `ALERTS{${RELEASE},alertstate="firing"}` },
          noValue: 'No alerts',
          span: 12,
        },
        [
          'namespace',
          'release',
          'alertstate',
          'job',
          'instance',
          'endpoint',
          'container',
          'service',
        ],
      ).overrideByName('runbook', [
        {
          id: 'links',
          value: [{ title: 'Runbook', url: 'RUNBOOKS/${__value.raw}.md', targetBlank: true }],
        },
      ]),
      stat({
        title: 'Availability, last hour',
        unit: 'percentunit',
        description: 'Ratio of requests without a 5xx response, by objective.',
        queries: { '{{objective}}': `1 - objective:unavailable:ratio_rate1h{${RELEASE}}` },
      }).decimals(3),
      stat({
        title: 'Within latency objective, last hour',
        unit: 'percentunit',
        description: 'Ratio of requests answered within the time of their objective.',
        queries: { '{{objective}}': `1 - objective:slow:ratio_rate1h{${RELEASE}}` },
      }).decimals(2),
    ],
    Requests: [
      timeSeries({
        title: 'Requests',
        unit: 'reqps',
        description: 'Requests per second by service, without probes and scrapes.',
        queries: { '{{app}}': all },
        span: 8,
      }).links([detailsIn('malipo-payments'), detailsIn('malipo-auth')]),
      timeSeries({
        title: 'Error ratio (5xx)',
        unit: 'percentunit',
        description: 'By service. The objectives allow 0.1 % over 30 days.',
        queries: { '{{app}}': ratio(failed, all) },
        span: 8,
      }),
      timeSeries({
        title: 'Response time',
        unit: 's',
        description: 'Median and 99th percentile, by service.',
        queries: {
          '{{app}} p50': quantile(0.5, 'http_request_duration_seconds', requests, 'app'),
          '{{app}} p99': quantile(0.99, 'http_request_duration_seconds', requests, 'app'),
        },
        span: 8,
      }),
    ],
    Payments: [
      timeSeries({
        title: 'Payment transitions by new status',
        unit: 'cps',
        description:
          'Transitions per second. Payments that enter PENDING but no final status pile up.',
        queries: { '{{status}}': rate('payment_transitions_total', RELEASE, 'status') },
        span: 8,
        detailsIn: 'malipo-payments',
      }),
      stat({
        title: 'Payments by status, all time',
        unit: 'short',
        description: 'Payments that have ever entered a status, counted in the database.',
        queries: {
          '{{status}}': `sum by (status) (${deduplicated('payments_entered_total', '')})`,
        },
        span: 8,
        detailsIn: 'malipo-payments',
      }),
      timeSeries({
        title: 'Token checks',
        unit: 'cps',
        description: 'Checks per second by outcome; unavailable is answered 503.',
        queries: { '{{outcome}}': rate('token_checks_total', RELEASE, 'outcome') },
        span: 8,
        detailsIn: 'malipo-token-check',
      }),
    ],
    Dependencies: [
      timeSeries({
        title: 'Targets up',
        unit: 'short',
        description: 'Pods and database instances that Prometheus can scrape.',
        queries: { '{{app}} {{component}}': `sum by (app, component) (up{${RELEASE}})` },
        span: 8,
        detailsIn: 'malipo-node-runtime',
      }),
      timeSeries({
        title: 'Statements waiting for a connection',
        unit: 'short',
        description: 'A sustained queue means that the pool or the database is saturated.',
        queries: { '{{app}} {{pod}}': `db_pool_waiting{${RELEASE}}` },
        span: 8,
        detailsIn: 'malipo-databases',
      }),
      table(
        {
          title: 'Running versions',
          unit: 'short',
          description: 'Versions of the services and of Node.js; a rollout shows two of a service.',
          queries: { '': `count by (app, version, node) (build_info{${RELEASE}})` },
          span: 8,
        },
        [],
      ),
    ],
  },
}
