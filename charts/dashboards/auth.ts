import type { Page } from './page.ts'
import { graph, numbers, part, rate, RELEASE } from './panels.ts'
import { requestRows } from './requests.ts'

/** Auth: who comes in, who does not, and whether ended sessions are told of. */

const logins = rate('logins_total', RELEASE)

export const auth: Page = {
  uid: 'malipo-auth',
  title: 'auth',
  description: 'Logins, registrations and sessions, and whether their ends are told of.',
  rows: {
    'Who comes in': [
      graph({
        title: 'Logins by outcome',
        unit: 'cps',
        description: 'Many that are wrong or throttled: somebody tries passwords.',
        queries: { '{{outcome}}': rate('logins_total', RELEASE, 'outcome') },
        span: 8,
      }),
      graph({
        title: 'Part of the logins with a wrong password',
        unit: 'percentunit',
        description: 'People mistype a few of a hundred.',
        queries: { wrong: part(rate('logins_total', `${RELEASE},outcome="wrong"`), logins) },
        span: 8,
      }),
      graph({
        title: 'Waiting for bcrypt',
        unit: 'short',
        description: 'By pod. At 200 it sends others away for five seconds: it needs more cores.',
        queries: { '{{pod}}': `password_hashes_queued{${RELEASE}}` },
        span: 8,
      }),
      graph({
        title: 'Registrations by outcome',
        unit: 'cps',
        description: 'taken: the phone or the email has an account.',
        queries: { '{{outcome}}': rate('registrations_total', RELEASE, 'outcome') },
        span: 8,
      }),
      graph({
        title: 'Refreshes by outcome',
        unit: 'cps',
        description: 'reused: a refresh token came twice, and its session was ended.',
        queries: { '{{outcome}}': rate('refreshes_total', RELEASE, 'outcome') },
        span: 8,
      }),
      graph({
        title: 'Sessions ended, by cause',
        unit: 'cps',
        description: 'Each end is told to Redis within a second.',
        queries: { '{{cause}}': rate('revocations_total', RELEASE, 'cause') },
        span: 8,
      }),
    ],
    Sessions: [
      numbers({
        title: 'Ends that Redis was not told of',
        unit: 'short',
        description: 'Other than 0 for long: tokens of ended sessions may still be taken.',
        queries: { untold: `max(revocations_pending{${RELEASE}})` },
      }),
      numbers({
        title: 'Redis is reached',
        unit: 'bool',
        description: 'By each pod.',
        queries: { '{{pod}}': `redis_up{${RELEASE},app="auth"}` },
        span: 18,
      }),
    ],
    ...requestRows('auth'),
  },
}
