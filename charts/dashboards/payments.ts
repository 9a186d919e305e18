import type { Page } from './page.ts'
import { graph, numbers, quantile, rate, RELEASE } from './panels.ts'
import { requestRows } from './requests.ts'

/** Payments: how many, how much, how long, what is refused, and what is stuck. */

const once = (metric: string, more = '') =>
  `max by (status, method, currency) (${metric}{${RELEASE}${more}})`
const sumBy = (labels: string, expr: string) => `sum by (${labels}) (${expr})`
const gone = (from: string) =>
  from === 'INITIATED' ? 'status="PENDING"' : 'status=~"SUCCESS|FAILED"'
const inNow = (status: string) =>
  `sum(${once('payments_entered_total', `,status="${status}"`)}) - (sum(${once('payments_entered_total', `,${gone(status)}`)}) or vector(0))`

export const payments: Page = {
  uid: 'malipo-payments',
  title: 'payments',
  description:
    'How many payments, how much money, how long they take, what is refused and what is stuck.',
  rows: {
    Payments: [
      graph({
        title: 'Payments by the status they came into',
        unit: 'cps',
        description: 'A second, by what moved them.',
        queries: {
          '{{status}} by {{cause}}': `${rate('payment_transitions_total', RELEASE, 'status, cause')} > 0`,
        },
      }),
      graph({
        title: 'From the beginning to the end',
        unit: 's',
        description: 'How long half of the payments took that ended, and 95 of 100.',
        queries: {
          '{{status}} half': quantile(0.5, 'payment_duration_seconds', RELEASE, 'status'),
          '{{status}} 95 of 100': quantile(0.95, 'payment_duration_seconds', RELEASE, 'status'),
        },
      }),
      numbers({
        title: 'In a status now',
        unit: 'short',
        description: 'Those that ever came in less those that went on, counted by the database.',
        queries: { INITIATED: inNow('INITIATED'), PENDING: inNow('PENDING') },
      }),
      numbers({
        title: 'Ended in the last hour',
        unit: 'short',
        description: 'By how they ended.',
        queries: {
          '{{status}}': sumBy('status', `increase(payment_duration_seconds_count{${RELEASE}}[1h])`),
        },
      }).decimals(0),
      graph({
        title: 'Open for long',
        unit: 'short',
        description:
          'Payments that are in their status for at least this long; PENDING ones wait for news of a provider.',
        queries: { '{{status}} for {{age}}': `max by (status, age) (payments_open{${RELEASE}})` },
      }),
    ],
    Money: [
      graph({
        title: 'Amounts that came into SUCCESS, a minute',
        unit: 'short',
        description: 'In minor units of each currency, which are never added to one another.',
        queries: {
          '{{currency}} by {{method}}': `max by (currency, method) (rate(payments_entered_amount_minor_total{${RELEASE},status="SUCCESS"}[5m])) * 60`,
        },
      }),
      numbers({
        title: 'Amounts ever, by status and currency',
        unit: 'short',
        description: 'In minor units, exact in the table payment_totals.',
        queries: {
          '{{status}} {{currency}}': sumBy(
            'status, currency',
            once('payments_entered_amount_minor_total'),
          ),
        },
        span: 8,
      }),
      numbers({
        title: 'Totals are behind by',
        unit: 's',
        description: 'Age of the oldest change that they lack.',
        queries: { behind: `max(payment_totals_lag_seconds{${RELEASE}})` },
        span: 4,
      }),
    ],
    'Webhooks and refusals': [
      graph({
        title: 'Webhooks by outcome',
        unit: 'cps',
        description:
          'conflict: the id of another; bad_signature and unknown: somebody who is not a provider, or a secret that was changed on one side.',
        queries: { '{{outcome}}': rate('webhooks_total', RELEASE, 'outcome') },
      }),
      graph({
        title: 'Changes of status that were refused',
        unit: 'cps',
        description: 'By the table of transitions, or since the payment had changed meanwhile.',
        queries: { '{{reason}}': rate('payment_transitions_rejected_total', RELEASE, 'reason') },
      }),
    ],
    ...requestRows('payments'),
  },
}
