import type { DashboardSpec } from './dashboard.ts'
import { timeSeries, stat, quantile, rate, RELEASE } from './panels.ts'
import { requestRows } from './requests.ts'

/** Payments: counts, amounts, durations, rejected requests, and payments that make no progress. */

const deduplicated = (metric: string, more = '') =>
  `max by (status, method, currency) (${metric}{${RELEASE}${more}})`
const sumBy = (labels: string, expr: string) => `sum by (${labels}) (${expr})`
const leaving = (from: string) =>
  from === 'INITIATED' ? 'status="PENDING"' : 'status=~"SUCCESS|FAILED"'
const currentlyIn = (status: string) =>
  `sum(${deduplicated('payments_entered_total', `,status="${status}"`)}) - (sum(${deduplicated('payments_entered_total', `,${leaving(status)}`)}) or vector(0))`

export const payments: DashboardSpec = {
  uid: 'malipo-payments',
  title: 'payments',
  description:
    'Counts, amounts and durations of payments, rejected requests, and payments that make no progress.',
  rows: {
    Payments: [
      timeSeries({
        title: 'Payment transitions by new status',
        unit: 'cps',
        description: 'Transitions per second, by cause.',
        queries: {
          '{{status}} by {{cause}}': `${rate('payment_transitions_total', RELEASE, 'status, cause')} > 0`,
        },
      }),
      timeSeries({
        title: 'Time from creation to final status',
        unit: 's',
        description: 'Median and 95th percentile of payments that reached a final status.',
        queries: {
          '{{status}} p50': quantile(0.5, 'payment_duration_seconds', RELEASE, 'status'),
          '{{status}} p95': quantile(0.95, 'payment_duration_seconds', RELEASE, 'status'),
        },
      }),
      stat({
        title: 'Open payments by status',
        unit: 'short',
        description:
          'Payments that entered a status minus those that left it, counted in the database.',
        queries: { INITIATED: currentlyIn('INITIATED'), PENDING: currentlyIn('PENDING') },
      }),
      stat({
        title: 'Completed in the last hour',
        unit: 'short',
        description: 'By final status.',
        queries: {
          '{{status}}': sumBy('status', `increase(payment_duration_seconds_count{${RELEASE}}[1h])`),
        },
      }).decimals(0),
      timeSeries({
        title: 'Open payments by age',
        unit: 'short',
        description:
          'Payments that have been in their status for at least this long; PENDING ones wait for a provider.',
        queries: { '{{status}} for {{age}}': `max by (status, age) (payments_open{${RELEASE}})` },
      }),
    ],
    Money: [
      timeSeries({
        title: 'Successful amount per minute',
        unit: 'short',
        description: 'In minor units of each currency; currencies are never added up.',
        queries: {
          '{{currency}} by {{method}}': `max by (currency, method) (rate(payments_entered_amount_minor_total{${RELEASE},status="SUCCESS"}[5m])) * 60`,
        },
      }),
      stat({
        title: 'Amounts by status and currency, all time',
        unit: 'short',
        description: 'In minor units; exact values are in the table payment_totals.',
        queries: {
          '{{status}} {{currency}}': sumBy(
            'status, currency',
            deduplicated('payments_entered_amount_minor_total'),
          ),
        },
        span: 8,
      }),
      stat({
        title: 'Lag of totals',
        unit: 's',
        description: 'Age of the oldest change that the totals do not include yet.',
        queries: { lag: `max(payment_totals_lag_seconds{${RELEASE}})` },
        span: 4,
      }),
    ],
    'Webhooks and rejected transitions': [
      timeSeries({
        title: 'Webhooks by outcome',
        unit: 'cps',
        description:
          'conflict: an id was reused with different content. bad_signature, unknown_payment: not a provider, or a secret that was changed on one side.',
        queries: { '{{outcome}}': rate('webhooks_total', RELEASE, 'outcome') },
      }),
      timeSeries({
        title: 'Rejected transitions by reason',
        unit: 'cps',
        description:
          'Not allowed by the transition table, or the payment had changed concurrently.',
        queries: { '{{reason}}': rate('payment_transitions_rejected_total', RELEASE, 'reason') },
      }),
    ],
    ...requestRows('payments'),
  },
}
