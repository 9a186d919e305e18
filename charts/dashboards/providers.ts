import type { DashboardSpec } from './dashboard.ts'
import { quantile, rate, ratio, RELEASE, stat, table, timeSeries } from './panels.ts'

/** Providers, of the accounts that are selected: whether payments settle by themselves, and what delays them. */

const ACCOUNTS = `${RELEASE},account=~"$account"`
const NO_ACCOUNTS = 'No provider account'

/** Counts of the database, of which every replica reports the same. */
const deduplicated = (metric: string, labels: string) =>
  `max by (${labels}) (${metric}{${ACCOUNTS}})`
const increase = (metric: string, more: string, by = '') =>
  `sum${by && ` by (${by})`} (increase(${metric}{${ACCOUNTS}${more}}[1h]))`

const settled = (more = '') => increase('attempts_concluded_total', more)
const callbacks = `sum by (account) (
  increase(callbacks_total{${ACCOUNTS},outcome="stored"}[1h])
  or increase(attempts_concluded_total{${ACCOUNTS},cause="webhook"}[1h])
)`
const endedByProvider = increase(
  'attempts_concluded_total',
  ',cause=~"query|callback|webhook"',
  'account',
)

const settling = [
  timeSeries({
    title: 'Settled payments by what settled them',
    unit: 'cps',
    description:
      'Payments per second. Only those by operator did not settle by themselves. A callback without a signature leads to a query, which is counted.',
    queries: {
      '{{state}} by {{cause}}': `${rate('attempts_concluded_total', ACCOUNTS, 'state, cause')} > 0`,
    },
    noValue: 'No payment',
  }),
  timeSeries({
    title: 'Time from creation to final status',
    unit: 's',
    description: 'Median and 95th percentile of payments that reached a final status.',
    queries: {
      '{{account}} {{status}} p50': quantile(
        0.5,
        'payment_duration_seconds',
        ACCOUNTS,
        'account, status',
      ),
      '{{account}} {{status}} p95': quantile(
        0.95,
        'payment_duration_seconds',
        ACCOUNTS,
        'account, status',
      ),
    },
    noValue: NO_ACCOUNTS,
  }),
  stat({
    title: 'Settled without an operator, last hour',
    unit: 'percentunit',
    description: 'The fraction of settled payments that an operator did not have to end.',
    queries: { '': `1 - ${settled(',cause="operator"')} / (${settled()} > 0)` },
    noValue: 'No payment',
  }).decimals(2),
  stat({
    title: 'Settled in the last hour',
    unit: 'short',
    description: 'By final state. not_sent: the provider has no charge, for certain.',
    queries: { '{{state}}': increase('attempts_concluded_total', '', 'state') },
    noValue: NO_ACCOUNTS,
  }).decimals(0),
  timeSeries({
    title: 'Callbacks per payment that the provider ended, last hour',
    unit: 'percentunit',
    description:
      'Near 100 % if the provider sends its callbacks. Without them, queries settle payments, which takes longer.',
    queries: { '{{account}}': ratio(callbacks, endedByProvider) },
    noValue: NO_ACCOUNTS,
  }),
]

const open = [
  timeSeries({
    title: 'Open attempts by state',
    unit: 'short',
    description:
      'queued: not sent yet. in_doubt: the provider may have a charge, and is queried. accepted: the payer has not decided.',
    queries: { '{{account}} {{state}}': deduplicated('attempts_open', 'account, state') },
    noValue: 'No open attempt',
  }),
  timeSeries({
    title: 'Oldest call that is due',
    unit: 's',
    description:
      'Grows if the rate of the account is used up, a circuit is open or no worker runs.',
    queries: {
      '{{account}} {{call}}': deduplicated('attempts_oldest_due_seconds', 'account, call'),
    },
    noValue: NO_ACCOUNTS,
  }),
  stat({
    title: 'Attempts that need an operator',
    unit: 'short',
    description:
      'By reason. The runbooks of PaymentsNeedAttention, PaymentConflicts and LateSuccess apply.',
    queries: {
      '{{account}} {{reason}}': `${deduplicated('attempts_needing_attention', 'account, reason')} > 0`,
    },
    noValue: 'None',
    span: 12,
  }),
  timeSeries({
    title: 'Attempts flagged for an operator, by reason',
    unit: 'short',
    description: 'Per hour, over all accounts.',
    queries: {
      '{{reason}}': `sum by (reason) (increase(attempts_flagged_total{${RELEASE}}[1h])) > 0`,
    },
    noValue: 'None',
  }),
]

const calls = [
  timeSeries({
    title: 'Calls by result',
    unit: 'reqps',
    description:
      'may_have_happened and no_news: the provider did not answer. not_begun: nothing was written, and the call is repeated.',
    queries: {
      '{{account}} {{call}} {{result}}': `${rate('provider_calls_total', ACCOUNTS, 'account, call, result')} > 0`,
    },
    noValue: 'No call',
  }),
  timeSeries({
    title: 'Duration of calls',
    unit: 's',
    description: '95th percentile, without the time that a call waits.',
    queries: {
      '{{account}} {{call}}': quantile(
        0.95,
        'provider_call_duration_seconds',
        ACCOUNTS,
        'account, call',
      ),
    },
    noValue: NO_ACCOUNTS,
  }),
  timeSeries({
    title: 'Open circuits',
    unit: 'bool',
    description: 'After five failed calls in a row, calls pause, and then one at a time is tried.',
    queries: { '{{account}} {{call}}': deduplicated('provider_circuit_open', 'account, call') },
    noValue: NO_ACCOUNTS,
  }),
  timeSeries({
    title: 'Answers with a flag',
    unit: 'cps',
    description:
      'rate_limited: limits.rate or limits.pollRate exceeds what the provider allows. configuration: credentials or rights. unknown_…: the provider has changed its API.',
    queries: {
      '{{account}} {{flag}}': `${rate('provider_readings_flagged_total', ACCOUNTS, 'account, flag')} > 0`,
    },
    noValue: 'None',
  }),
  timeSeries({
    title: 'Calls in flight',
    unit: 'short',
    description:
      'Over all replicas, those included that wait; each replica makes limits.maxInFlight.',
    queries: { '{{account}}': `sum by (account) (provider_calls_in_flight{${ACCOUNTS}})` },
    noValue: NO_ACCOUNTS,
  }),
  timeSeries({
    title: 'Callbacks by outcome',
    unit: 'cps',
    description:
      'bad_nonce, bad_signature, wrong_url: not the provider, or a key that was changed on one side. parked: of no known attempt.',
    queries: {
      '{{account}} {{outcome}}': `${rate('callbacks_total', ACCOUNTS, 'account, outcome')} > 0`,
    },
    noValue: 'No callback',
  }),
]

const configuration = [
  table(
    {
      title: 'Accounts',
      unit: 'short',
      description: 'The accounts of PROVIDERS_FILE that are in use.',
      queries: {
        '': `max by (account, adapter, state, callbacks) (provider_account_info{${ACCOUNTS}})`,
      },
      noValue: NO_ACCOUNTS,
    },
    [],
  ),
  stat({
    title: 'Pods with rejected or unreadable files',
    unit: 'short',
    description: 'They keep using the previous content, and fail to restart.',
    queries: {
      PROVIDERS_FILE: `sum(provider_accounts_rejected{${RELEASE}})`,
      'callback keys': `sum(callback_keys_unreadable{${RELEASE}})`,
      'credentials of {{account}}': `sum by (account) (provider_credentials_unreadable{${ACCOUNTS}})`,
    },
    noValue: 'None',
    span: 12,
  }),
]

export const providers: DashboardSpec = {
  uid: 'malipo-providers',
  title: 'providers',
  description:
    'Payments through providers: whether they settle by themselves, what delays them, and what needs an operator.',
  variables: { account: `provider_account_info{${RELEASE}}` },
  rows: {
    'Payments that settle by themselves': settling,
    'Open attempts': open,
    'Calls and callbacks': calls,
    Configuration: configuration,
  },
}
