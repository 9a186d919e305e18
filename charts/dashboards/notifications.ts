import type { DashboardSpec } from './dashboard.ts'
import { quantile, rate, RELEASE, stat, timeSeries } from './panels.ts'

/** Notifications of merchants: whether they arrive in time, and whether payments or their endpoints are the cause. */

/** Counts of the database, of which every replica reports the same. */
const deduplicated = (metric: string, labels: string, more = '') =>
  `max by (${labels}) (${metric}{${RELEASE}${more}})`
const increase = (metric: string, more: string, range: string, by = '') =>
  `sum${by && ` by (${by})`} (increase(${metric}{${RELEASE}${more}}[${range}]))`

const MADE = ',outcome=~"delivered|rejected|failed|gone|unsigned"'
const WORKERS = `${RELEASE},worker=~"deliveries|delivery_counts_read|endpoint_care|notifications_sweep"`

const arrival = [
  timeSeries({
    title: 'Time from the change of a payment to the first 2xx',
    unit: 's',
    description:
      'Of deliveries whose first try succeeded. It includes the time that the endpoint takes to answer.',
    queries: {
      p50: quantile(0.5, 'delivery_lag_seconds', RELEASE),
      p95: quantile(0.95, 'delivery_lag_seconds', RELEASE),
      p99: quantile(0.99, 'delivery_lag_seconds', RELEASE),
    },
    noValue: 'No delivery',
  }),
  timeSeries({
    title: 'Deliveries that ended',
    unit: 'cps',
    description: 'By state. failed: after the last try, or by an answer 410.',
    queries: { '{{state}}': rate('deliveries_ended_total', RELEASE, 'state') },
  }),
  stat({
    title: 'Successful tries, last hour',
    unit: 'percentunit',
    description:
      'Low while an endpoint with many notifications is down. At several merchants, the runbook of NotificationsFailing applies.',
    queries: {
      '': `${increase('delivery_tries_total', ',outcome="delivered"', '1h')} / (${increase('delivery_tries_total', MADE, '1h')} > 0)`,
    },
    noValue: 'No try',
  }).decimals(1),
  stat({
    title: 'Deliveries that ended, last day',
    unit: 'short',
    description: 'By state. Merchants may resend the failed ones.',
    queries: { '{{state}}': increase('deliveries_ended_total', '', '24h', 'state') },
  }).decimals(0),
]

const pending = [
  timeSeries({
    title: 'Oldest notification that is due',
    unit: 's',
    description:
      'At enabled endpoints with a closed circuit. idle: no replica makes a try there, so payments is late. busy: the endpoint is slower than its notifications.',
    queries: { '{{endpoints}}': deduplicated('deliveries_oldest_due_seconds', 'endpoints') },
  }),
  timeSeries({
    title: 'Pending deliveries by state',
    unit: 'short',
    description:
      'scheduled: a later try. paused: the circuit of the endpoint is open. disabled: they are sent when the merchant enables the endpoint.',
    queries: { '{{state}}': deduplicated('deliveries_pending', 'state') },
  }),
  stat({
    title: 'Due now',
    unit: 'short',
    description: 'A number that does not fall is the alert NotificationBacklog.',
    queries: { '': `max(deliveries_pending{${RELEASE},state="due"})` },
  }).decimals(0),
  stat({
    title: 'Pending deliveries',
    unit: 'short',
    description: 'In all states, of at most 100000.',
    queries: { '': `sum(${deduplicated('deliveries_pending', 'state')})` },
  }).decimals(0),
]

const tries = [
  timeSeries({
    title: 'Tries by outcome',
    unit: 'cps',
    description:
      'rejected: another status than 2xx. failed: no answer. unsigned: not made, because the secrets of the endpoint are unreadable. error: the result was not stored.',
    queries: {
      '{{outcome}}': `${rate('delivery_tries_total', RELEASE, 'outcome')} > 0`,
    },
    noValue: 'No try',
  }),
  timeSeries({
    title: 'Tries without an answer, by error',
    unit: 'cps',
    description:
      'dns, connect or timeout at all endpoints: egress of the pods, or the proxy. forbidden_address: the host is internal, or EGRESS_DENY_CIDRS contains it.',
    queries: {
      '{{error}}': `${rate('delivery_try_failures_total', RELEASE, 'error')} > 0`,
    },
    noValue: 'None',
  }),
  timeSeries({
    title: 'Duration of tries',
    unit: 's',
    description: 'A try ends after at most 20 s.',
    queries: {
      p50: quantile(0.5, 'delivery_try_duration_seconds', RELEASE),
      p95: quantile(0.95, 'delivery_try_duration_seconds', RELEASE),
    },
    noValue: 'No try',
  }),
  stat({
    title: 'Unsigned tries, last hour',
    unit: 'short',
    description: 'The encryption keys are wrong: the runbook of NotificationsUnsigned applies.',
    queries: { '': increase('delivery_tries_total', ',outcome="unsigned"', '1h') },
  }).decimals(0),
  stat({
    title: 'Pods with unreadable encryption keys',
    unit: 'short',
    description: 'They keep using the previous keys, and fail to restart.',
    queries: { '': `sum(webhook_encryption_keys_unreadable{${RELEASE}})` },
  }),
]

const endpoints = [
  timeSeries({
    title: 'Endpoints by state',
    unit: 'short',
    description:
      'disabled_gone: by an answer 410. disabled_failing: after five days without a 2xx.',
    queries: { '{{state}}': deduplicated('webhook_endpoints', 'state') },
  }),
  timeSeries({
    title: 'Failing endpoints by circuit',
    unit: 'short',
    description:
      'Enabled endpoints without a 2xx since a failed try. With an open circuit, they get a single try after each pause.',
    queries: {
      'circuit {{circuit}}': deduplicated('webhook_endpoints_failing', 'circuit'),
      'merchants, since a day': `max(webhook_merchants_failing{${RELEASE}})`,
    },
  }),
  timeSeries({
    title: 'Changes of endpoints',
    unit: 'short',
    description: 'Per hour, by merchants.',
    queries: {
      '{{change}}': `${increase('webhook_endpoint_changes_total', '', '1h', 'change')} > 0`,
    },
    noValue: 'None',
  }),
]

const workers = [
  timeSeries({
    title: 'Runs of the workers by outcome',
    unit: 'cps',
    description: 'Failed runs are logged once, when they begin.',
    queries: {
      '{{worker}} {{outcome}}': `${rate('worker_runs_total', WORKERS, 'worker, outcome')} > 0`,
    },
  }),
  timeSeries({
    title: 'Duration of claims and of recording',
    unit: 's',
    description: '95th percentile of the statements that claim deliveries and store the results.',
    queries: {
      '{{statement}}': quantile(
        0.95,
        'db_statement_duration_seconds',
        `${RELEASE},statement=~"delivery_claim|delivery_record"`,
        'statement',
      ),
    },
    noValue: 'No delivery',
  }),
]

export const notifications: DashboardSpec = {
  uid: 'malipo-notifications',
  title: 'notifications',
  description:
    'Notifications of merchants: whether they arrive in time, what is pending, why tries fail, and the state of endpoints.',
  rows: {
    Arrival: arrival,
    'Pending deliveries': pending,
    Tries: tries,
    Endpoints: endpoints,
    Workers: workers,
  },
}
