import { describe, expect, it } from 'vitest'
import { differences } from './checker.ts'
import type { Entry, Kind } from './journal.ts'
import type { EventRow, Records } from './records.ts'

/** A payment created with `key-1`, moved to PENDING with `key-2` and completed by the webhook `wh-1`. */
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

function entry(kind: Kind, version: number, operation: object, changes: object = {}): Entry {
  const status = STEPS[version - 1]?.[1]
  const updatedAt = '2026-01-31T12:00:00.000Z'
  const body = {
    id: 'p',
    reference: 'PAY-p',
    amount: '500',
    status,
    version,
    updatedAt,
    ...changes,
  }
  const request = { method: 'POST', path: '/api/payments', ...operation } as const
  return {
    operation: { kind, expectedStatus: 200, request, ...operation },
    attempts: [{ at: 0, ms: 1, status: 200, replayed: false, body }],
  }
}

const created = entry('create', 1, { key: 'key-1' })
const moved = entry('move', 2, {
  key: 'key-2',
  request: { method: 'POST', path: '/api/payments/PAY-p/status' },
})
const finished = entry('webhook', 3, {
  key: 'wh-1',
  request: { method: 'POST', path: '', body: { status: 'SUCCESS' } },
})
const all = [created, moved, finished, entry('read', 2, { knownVersion: 2 })]
const SENT = new Set(['key-1', 'key-2', 'wh-1'])

describe('differences', () => {
  it('reports nothing if responses and records agree', () => {
    expect(differences(all, SENT, records())).toEqual([])
  })

  it.each([
    ['a missing payment', all, records({ payments: new Map(), events: new Map() }), /^lost/],
    [
      'a missing version',
      all,
      records({ events: new Map([['p', events.slice(0, 2)]]) }),
      /^lost: webhook/,
    ],
    ['a different status', [entry('read', 2, {}, { status: 'FAILED' })], records(), /^mismatch/],
    ['a different amount', [entry('read', 1, {}, { amount: '5' })], records(), /^mismatch/],
    ['a stale read', [entry('read', 1, { knownVersion: 2 })], records(), /^stale/],
    [
      'a key used by another operation',
      [entry('create', 2, { key: 'key-1' })],
      records(),
      /idempotency key/,
    ],
    ['a missing key', [created], records({ keys: new Map() }), /idempotency key/],
    ['a missing webhook', [finished], records({ webhooks: new Map() }), /^webhook not stored/],
  ])('reports %s', (_, entries, found, line) => {
    expect(differences(entries, SENT, found)[0]).toMatch(line)
  })

  it('reports duplicate effects and effects without a request', () => {
    const again = { ...events[0]!, payment_id: 'q' }
    const payment = { id: 'q', amount_minor: 500, status: 'INITIATED', version: 1 }
    const { payments } = records()
    const duplicated = records({
      payments: new Map([...payments, ['q', payment]]),
      events: new Map([
        ['p', events],
        ['q', [again]],
      ]),
    })
    expect(differences([], SENT, duplicated).join()).toMatch(/^duplicate: .*"q"/)
    expect(differences([], new Set(['key-1', 'key-2']), records()).join()).toMatch(/no request/)
  })

  it('reports a transition that is not allowed', () => {
    const jump = [events[0]!, { ...events[2]!, version: 2, from_status: 'INITIATED' }]
    const found = differences([], SENT, records({ events: new Map([['p', jump]]) }))
    expect(found.join()).toMatch(/invalid history/)
  })

  it('reports a missing session', () => {
    const claims = Buffer.from(JSON.stringify({ sid: 's' })).toString('base64url')
    const login = entry('login', 1, {}, { access_token: `a.${claims}.c` })
    expect(differences([login], SENT, records())).toEqual(['lost: session s'])
    expect(differences([login], SENT, records({ sessions: new Set(['s']) }))).toEqual([])
  })
})
