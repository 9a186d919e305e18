import type { DashboardSpec } from './dashboard.ts'
import { timeSeries, stat, ratio, rate, RELEASE } from './panels.ts'
import { requestRows } from './requests.ts'

/** auth: logins, registrations, refreshes, and the publishing of session revocations. */

const logins = rate('logins_total', RELEASE)

export const auth: DashboardSpec = {
  uid: 'malipo-auth',
  title: 'auth',
  description: 'Logins, registrations, sessions, and the publishing of session revocations.',
  rows: {
    'Logins and registrations': [
      timeSeries({
        title: 'Logins by outcome',
        unit: 'cps',
        description: 'A high rate of wrong or throttled indicates password guessing.',
        queries: { '{{outcome}}': rate('logins_total', RELEASE, 'outcome') },
        span: 8,
      }),
      timeSeries({
        title: 'Ratio of logins with a wrong password',
        unit: 'percentunit',
        description: 'A few percent are typing errors.',
        queries: { wrong: ratio(rate('logins_total', `${RELEASE},outcome="wrong"`), logins) },
        span: 8,
      }),
      timeSeries({
        title: 'Queued password hashes',
        unit: 'short',
        description: 'By pod. At 200 further requests are rejected with 503: add CPU or replicas.',
        queries: { '{{pod}}': `password_hashes_queued{${RELEASE}}` },
        span: 8,
      }),
      timeSeries({
        title: 'Registrations by outcome',
        unit: 'cps',
        description: 'taken: the phone or email already has an account.',
        queries: { '{{outcome}}': rate('registrations_total', RELEASE, 'outcome') },
        span: 8,
      }),
      timeSeries({
        title: 'Refreshes by outcome',
        unit: 'cps',
        description: 'reused: a refresh token was used twice, so its session was revoked.',
        queries: { '{{outcome}}': rate('refreshes_total', RELEASE, 'outcome') },
        span: 8,
      }),
      timeSeries({
        title: 'Session revocations by cause',
        unit: 'cps',
        description: 'Each revocation is normally published to Redis within a second.',
        queries: { '{{cause}}': rate('revocations_total', RELEASE, 'cause') },
        span: 8,
      }),
    ],
    Sessions: [
      stat({
        title: 'Pending revocations',
        unit: 'short',
        description:
          'Revocations not published to Redis yet. While above 0, tokens of these sessions may still be accepted.',
        queries: { pending: `max(revocations_pending{${RELEASE}})` },
      }),
      stat({
        title: 'Redis connected',
        unit: 'bool',
        description: 'By pod.',
        queries: { '{{pod}}': `redis_up{${RELEASE},app="auth"}` },
        span: 18,
      }),
    ],
    'API keys': [
      timeSeries({
        title: 'Validations of API keys by outcome',
        unit: 'cps',
        description: 'ended: a key was used after it was revoked or had expired.',
        queries: { '{{outcome}}': rate('api_key_checks_total', RELEASE, 'outcome') },
        span: 9,
      }),
      timeSeries({
        title: 'Changes of API keys',
        unit: 'cps',
        description: 'Keys that merchants created, rotated and revoked.',
        queries: { '{{change}}': rate('api_key_changes_total', RELEASE, 'change') },
        span: 9,
      }),
      stat({
        title: 'Unused API keys',
        unit: 'short',
        description: 'Usable keys that were not used for 90 days.',
        queries: { unused: `max(api_keys_unused{${RELEASE}})` },
      }),
    ],
    ...requestRows('auth'),
  },
}
