import { describe, expect, it } from 'vitest'
import { differences } from './checker.ts'
import type { Entry, Kind } from './journal.ts'
import type { EventRow, Records } from './records.ts'

/** A payment that was made under `key-1`, moved under `key-2` and finished by the webhook `wh-1`. */
const AT = '2026-01-31T12:00:00.000+00:00'
const STEPS = [
  [null, 'INITIATED', 'create', null],
  ['INITIATED', 'PENDING', 'status', null],
  ['PENDING', 'SUCCESS', 'webhook', 'wh-1'],
] as const

const events: EventRow[] = STEPS.map(([from_status, to_status, cause, last_webhook_id], i) => ({
  payment_id: 'p',
  version: i + 1,
  operation_id: `op-${i + 1}`,
  from_status,
  to_status,
  at: AT,
  cause,
  last_webhook_id,
}))

const key = (key: string, route: string, operation_id: string) => ({ key, route, operation_id })

function records(change: Partial<Records> = {}): Records {
  const payment = { id: 'p', amount_minor: 500, status: 'SUCCESS', version: 3 }
  const webhook = { webhook_id: 'wh-1', payment_id: 'p', status: 'SUCCESS', outcome: 'applied' }
  return {
    payments: new Map([['p', payment]]),
    events: new Map([['p', events]]),
    keys: new Map([
      ['key-1', [key('key-1', 'POST /api/payments', 'op-1')]],
      ['key-2', [key('key-2', 'POST /api/payments/PAY-p/status', 'op-2')]],
    ]),
    webhooks: new Map([['wh-1', webhook]]),
    sessions: new Set(),
    ...change,
  }
}

function answer(kind: Kind, version: number, wish: object, told: object = {}): Entry {
  const status = STEPS[version - 1]?.[1]
  const updatedAt = '2026-01-31T12:00:00.000Z'
  const body = { id: 'p', reference: 'PAY-p', amount: '500', status, version, updatedAt, ...told }
  const call = { method: 'POST', path: '/api/payments', ...wish } as const
  return {
    wish: { kind, expected: 200, call, ...wish },
    tries: [{ at: 0, ms: 1, status: 200, replayed: false, body }],
  }
}

const created = answer('create', 1, { key: 'key-1' })
const moved = answer('move', 2, {
  key: 'key-2',
  call: { method: 'POST', path: '/api/payments/PAY-p/status' },
})
const finished = answer('webhook', 3, {
  key: 'wh-1',
  call: { method: 'POST', path: '', body: { status: 'SUCCESS' } },
})
const all = [created, moved, finished, answer('read', 2, { known: 2 })]
const SENT = new Set(['key-1', 'key-2', 'wh-1'])

describe('the checker', () => {
  it('finds nothing where all is as it was told', () => {
    expect(differences(all, SENT, records())).toEqual([])
  })

  it.each([
    ['a payment that is gone', all, records({ payments: new Map(), events: new Map() }), /^lost/],
    [
      'a version that is gone',
      all,
      records({ events: new Map([['p', events.slice(0, 2)]]) }),
      /^lost: webhook/,
    ],
    [
      'another status than told',
      [answer('read', 2, {}, { status: 'FAILED' })],
      records(),
      /^untrue/,
    ],
    ['another amount than told', [answer('read', 1, {}, { amount: '5' })], records(), /^untrue/],
    ['a read of what was before', [answer('read', 1, { known: 2 })], records(), /^stale/],
    [
      'a key that did something else',
      [answer('create', 2, { key: 'key-1' })],
      records(),
      /its key/,
    ],
    ['a key that is gone', [created], records({ keys: new Map() }), /not what its key did/],
    ['a webhook that is gone', [finished], records({ webhooks: new Map() }), /^webhook not kept/],
  ])('finds %s', (_, entries, found, line) => {
    expect(differences(entries, SENT, found)[0]).toMatch(line)
  })

  it('finds what happened twice, and what nobody asked for', () => {
    const again = { ...events[0]!, payment_id: 'q' }
    const payment = { id: 'q', amount_minor: 500, status: 'INITIATED', version: 1 }
    const { payments } = records()
    const twice = records({
      payments: new Map([...payments, ['q', payment]]),
      events: new Map([
        ['p', events],
        ['q', [again]],
      ]),
    })
    expect(differences([], SENT, twice).join()).toMatch(/^twice: .*"q"/)
    expect(differences([], new Set(['key-1', 'key-2']), records()).join()).toMatch(/nobody asked/)
  })

  it('finds a history that the table does not allow', () => {
    const jump = [events[0]!, { ...events[2]!, version: 2, from_status: 'INITIATED' }]
    const found = differences([], SENT, records({ events: new Map([['p', jump]]) }))
    expect(found.join()).toMatch(/illegal history/)
  })

  it('finds a session that is gone', () => {
    const claims = Buffer.from(JSON.stringify({ sid: 's' })).toString('base64url')
    const login = answer('login', 1, {}, { access_token: `a.${claims}.c` })
    expect(differences([login], SENT, records())).toEqual(['lost: session s'])
    expect(differences([login], SENT, records({ sessions: new Set(['s']) }))).toEqual([])
  })
})
