import type { Page } from './page.ts'
import { graph, leadsTo, numbers, part, quantile, rate, RELEASE, table } from './panels.ts'

/** What somebody who was woken looks at first. */

const requests = `${RELEASE},component="service",route!~"/(metrics|health.*)"`
const all = rate('http_request_duration_seconds_count', requests, 'app')
const failed = rate('http_request_duration_seconds_count', `${requests},status_code=~"5.."`, 'app')

/** The totals once, whoever tells them. */
const entered = (metric: string, more: string) =>
  `max by (status, method, currency) (${metric}{${RELEASE}${more}})`

export const overview: Page = {
  uid: 'malipo-overview',
  title: 'platform overview',
  description:
    'Is it well, and if not, which part: each panel leads to the dashboard that says more.',
  rows: {
    'Is it well?': [
      table(
        {
          title: 'Alerts that fire',
          unit: 'short',
          description: 'Each leads to its runbook by the link in the column runbook.',
          queries: { '': `ALERTS{${RELEASE},alertstate="firing"}` },
          noValue: 'None: all is well',
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
      numbers({
        title: 'Answered, last hour',
        unit: 'percentunit',
        description: 'The part of the requests that was not answered 5xx, by objective.',
        queries: { '{{objective}}': `1 - objective:unavailable:ratio_rate1h{${RELEASE}}` },
      }).decimals(3),
      numbers({
        title: 'In time, last hour',
        unit: 'percentunit',
        description: 'The part of the requests that was answered within the time of its objective.',
        queries: { '{{objective}}': `1 - objective:slow:ratio_rate1h{${RELEASE}}` },
      }).decimals(2),
    ],
    Requests: [
      graph({
        title: 'Requests',
        unit: 'reqps',
        description: 'A second, by service; probes and scrapes apart.',
        queries: { '{{app}}': all },
        span: 8,
      }).links([leadsTo('malipo-payments'), leadsTo('malipo-auth')]),
      graph({
        title: 'Part not answered (5xx)',
        unit: 'percentunit',
        description: 'Of all requests, by service. The objectives allow 0.1 % over 30 days.',
        queries: { '{{app}}': part(failed, all) },
        span: 8,
      }),
      graph({
        title: 'Time of an answer',
        unit: 's',
        description: 'Within which half of the requests, and 99 of 100, are answered.',
        queries: {
          '{{app}} half': quantile(0.5, 'http_request_duration_seconds', requests, 'app'),
          '{{app}} 99 of 100': quantile(0.99, 'http_request_duration_seconds', requests, 'app'),
        },
        span: 8,
      }),
    ],
    Payments: [
      graph({
        title: 'Payments by the status they came into',
        unit: 'cps',
        description: 'A second. What comes in and does not come out piles up.',
        queries: { '{{status}}': rate('payment_transitions_total', RELEASE, 'status') },
        span: 8,
        leadsTo: 'malipo-payments',
      }),
      numbers({
        title: 'Payments ever, by status',
        unit: 'short',
        description: 'Counted by the database: it outlives restarts.',
        queries: { '{{status}}': `sum by (status) (${entered('payments_entered_total', '')})` },
        span: 8,
        leadsTo: 'malipo-payments',
      }),
      graph({
        title: 'Token checks',
        unit: 'cps',
        description: 'A second, by where the answer came from; unavailable are told 503.',
        queries: { '{{outcome}}': rate('token_checks_total', RELEASE, 'outcome') },
        span: 8,
        leadsTo: 'malipo-token-check',
      }),
    ],
    'What it stands on': [
      graph({
        title: 'Targets that answer',
        unit: 'short',
        description: 'Pods and database instances that Prometheus reaches.',
        queries: { '{{app}} {{component}}': `sum by (app, component) (up{${RELEASE}})` },
        span: 8,
        leadsTo: 'malipo-node-runtime',
      }),
      graph({
        title: 'Statements that wait for a connection',
        unit: 'short',
        description: 'More than a few for longer than a moment: the pool or the database is full.',
        queries: { '{{app}} {{pod}}': `db_pool_waiting{${RELEASE}}` },
        span: 8,
        leadsTo: 'malipo-databases',
      }),
      table(
        {
          title: 'What runs',
          unit: 'short',
          description: 'Releases, and of Node; two of a service are there while it rolls.',
          queries: { '': `count by (app, version, node) (build_info{${RELEASE}})` },
          span: 8,
        },
        [],
      ),
    ],
  },
}
