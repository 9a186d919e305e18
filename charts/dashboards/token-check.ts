import type { Page } from './page.ts'
import { graph, numbers, part, quantile, rate, RELEASE } from './panels.ts'

/** The token check: what payments makes of each bearer, with auth and Redis up or down. */

const asked = rate('token_checks_total', `${RELEASE},outcome=~"hit|stale|miss"`)
const known = rate('token_checks_total', `${RELEASE},outcome=~"hit|stale"`)

export const tokenCheck: Page = {
  uid: 'malipo-token-check',
  title: 'token check',
  description:
    'Where the answers about tokens come from, and what happens while auth or Redis is away.',
  rows: {
    Checks: [
      graph({
        title: 'Token checks by outcome',
        unit: 'cps',
        description:
          'hit and stale need no call to auth, stale since auth can’t be asked; unavailable is told 503.',
        queries: { '{{outcome}}': rate('token_checks_total', RELEASE, 'outcome') },
      }),
      graph({
        title: 'Part answered without auth',
        unit: 'percentunit',
        description: 'Of the tokens that are good. Short-lived tokens and many users make it less.',
        queries: { 'without auth': part(known, asked) },
      }),
      graph({
        title: 'Time of a call to auth',
        unit: 's',
        description: 'Within which half, and 99 of 100, are answered, by what auth said.',
        queries: {
          '{{outcome}} half': quantile(0.5, 'auth_call_duration_seconds', RELEASE, 'outcome'),
          '{{outcome}} 99 of 100': quantile(0.99, 'auth_call_duration_seconds', RELEASE, 'outcome'),
        },
      }),
      graph({
        title: 'Calls to auth that wait for an answer',
        unit: 'short',
        description: 'Near its limit of 256 a pod, tokens that are not known are told 503.',
        queries: { '{{pod}}': `auth_calls_in_flight{${RELEASE}}` },
      }),
    ],
    'What it leans on': [
      numbers({
        title: 'Left alone for being slow',
        unit: 'bool',
        description: 'Redis or auth, by pod: 1 while a breaker is open.',
        queries: { '{{dependency}} by {{pod}}': `token_check_breaker_open{${RELEASE}}` },
        span: 12,
      }),
      numbers({
        title: 'Redis is reached',
        unit: 'bool',
        description: 'By each pod of payments.',
        queries: { '{{pod}}': `redis_up{${RELEASE},app="payments"}` },
      }),
      numbers({
        title: 'A revoked token was taken for',
        unit: 's',
        description: 'The longest time since the pod’s start; a second is promised.',
        queries: { '{{pod}}': `token_revocation_staleness_seconds{${RELEASE}}` },
      }),
    ],
  },
}
