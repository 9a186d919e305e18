import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Status } from '../src/payments/transitions.js'
import { grant, newUser, type User } from './auth.js'
import { type Payments } from './payments.js'
import { as, newPayment } from './requests.js'
import { withPayments } from './with-payments.js'

const { payments, user } = await withPayments()

/** The transitions that lead from INITIATED to each status. */
const WAYS: Record<Status, Status[]> = {
  INITIATED: [],
  PENDING: ['PENDING'],
  SUCCESS: ['PENDING', 'SUCCESS'],
  FAILED: ['PENDING', 'FAILED'],
}
const STATUSES = Object.keys(WAYS) as Status[]
const ALLOWED = ['INITIATED PENDING', 'PENDING SUCCESS', 'PENDING FAILED']

describe('POST /api/payments/{reference}/status', () => {
  it.each(STATUSES.flatMap((from) => STATUSES.map((to) => [from, to] as const)))(
    'allows or rejects %s to %s as the contract says',
    async (from, to) => {
      const reference = await newPayment(user, ...WAYS[from])
      const before = (await user.get(reference)).body
      const { status, body, headers } = await user.move(reference, to)
      const after = (await user.get(reference)).body
      const isAllowed = ALLOWED.includes(`${from} ${to}`)
      expect({ status, type: body.type }).toEqual(
        isAllowed
          ? { status: 200, type: undefined }
          : { status: 400, type: '/problems/transition-not-allowed' },
      )
      expect(after).toEqual(isAllowed ? body : before)
      const version = before.version + Number(isAllowed)
      expect(after).toMatchObject({ status: isAllowed ? to : from, version })
      expect(headers.get('etag')).toBe(isAllowed ? `"${version}"` : null)
      expect((await user.events(reference)).body.data).toHaveLength(version as number)
    },
  )

  it('stores the provider’s transaction id, and keeps the previous one if none is given', async () => {
    const reference = await newPayment(user)
    const providerTransactionId = 'MTN-1'
    const first = await user.move(reference, 'PENDING', {}, { providerTransactionId })
    expect(first.body).toMatchObject({ providerTransactionId })
    const second = await user.move(reference, 'SUCCESS', {}, { providerTransactionId: null })
    expect(second.body).toMatchObject({ providerTransactionId, status: 'SUCCESS' })
  })

  it.each<[string, object, string]>([
    ['no status', { status: undefined }, 'status'],
    ['an unknown status', { status: 'DONE' }, 'status'],
    ['a status in lower case', { status: 'pending' }, 'status'],
    ['a status that is a list', { status: ['PENDING'] }, 'status'],
    ['a status that is a method of objects', { status: 'toString' }, 'status'],
    ['an empty transaction id', { providerTransactionId: '' }, 'providerTransactionId'],
    ['a long transaction id', { providerTransactionId: 'x'.repeat(129) }, 'providerTransactionId'],
    ['a transaction id that is a number', { providerTransactionId: 1 }, 'providerTransactionId'],
    ['a long reason', { reason: 'x'.repeat(501) }, 'reason'],
    ['an empty reason', { reason: '' }, 'reason'],
    ['an unknown field', { version: 2 }, 'version'],
  ])('rejects %s with 400', async (_, more, field) => {
    const reference = await newPayment(user)
    const { status, body } = await user.move(reference, 'PENDING', {}, more)
    expect(status).toBe(400)
    expect(body.errors).toEqual([{ field, message: expect.any(String) }])
    expect((await user.get(reference)).body.status).toBe('INITIATED')
  })
})

describe('If-Match', () => {
  it.each<[string, string, number]>([
    ['the version', '"1"', 200],
    ['a list with the version', '"7", "1"', 200],
    ['*', '*', 200],
    ['another version', '"2"', 412],
    ['a list without the version', '"2","3"', 412],
    ['the version as a weak tag', 'W/"1"', 412],
    ['an unknown tag', '"abc"', 412],
    ['a version without quotes', '1', 400],
    ['an unterminated tag', '"1', 400],
  ])('with %s (%s) returns %i', async (_, ifMatch, expected) => {
    const reference = await newPayment(user)
    const { status, body } = await user.move(reference, 'PENDING', { 'if-match': ifMatch })
    expect(status).toBe(expected)
    const isMoved = expected === 200
    expect((await user.get(reference)).body.status).toBe(isMoved ? 'PENDING' : 'INITIATED')
    const types: Record<number, string> = {
      400: '/problems/validation',
      412: '/problems/version-changed',
    }
    expect(body.type).toBe(types[expected])
  })

  it('is checked before the transition: 412, not 400', async () => {
    const reference = await newPayment(user, 'PENDING', 'SUCCESS')
    expect((await user.move(reference, 'PENDING', { 'if-match': '"1"' })).status).toBe(412)
    expect((await user.move(reference, 'PENDING', { 'if-match': '"3"' })).status).toBe(400)
  })

  it('allows one change per ETag', async () => {
    const reference = await newPayment(user)
    const etag = (await user.get(reference)).headers.get('etag') ?? ''
    expect((await user.move(reference, 'PENDING', { 'if-match': etag })).status).toBe(200)
    expect((await user.move(reference, 'FAILED', { 'if-match': etag })).status).toBe(412)
  })
})

describe('in live mode', () => {
  let live: Payments
  let operator: User
  let creator: User
  beforeAll(async () => {
    const liveAuth = inject('liveAuthUrl')
    live = await payments.replica({ MODE: 'live', AUTH_SERVICE_URL: liveAuth })
    creator = await grant(await newUser(liveAuth), 'payments:write', 'live')
    operator = await grant(await newUser(liveAuth), 'payments:admin', 'live')
  })
  afterAll(() => live.close())

  it('a user without an operator’s grant reads payments and creates none', async () => {
    const user = as(await newUser(inject('liveAuthUrl')), live)
    expect((await user.list()).status).toBe(200)
    const created = await user.create()
    expect([created.status, created.body.type]).toEqual([403, '/problems/insufficient-scope'])
    expect(created.headers.get('www-authenticate')).toContain('scope="payments:write"')
  })

  it('a user who creates payments can’t settle them', async () => {
    const { body } = await as(creator, live).create()
    const moved = await as(creator, live).move(body.reference as string, 'PENDING')
    expect(moved.status).toBe(403)
    expect(moved.body.type).toBe('/problems/insufficient-scope')
  })

  it('an operator changes any payment’s status, with a reason that is stored', async () => {
    const { reference } = (await as(creator, live).create()).body
    const without = await as(operator, live).move(reference as string, 'PENDING')
    expect(without.status).toBe(400)
    expect(without.body.errors).toEqual([
      { field: 'reason', message: 'is required from an operator' },
    ])
    const reason = 'the bank has confirmed by telephone'
    const moved = await as(operator, live).move(reference as string, 'PENDING', {}, { reason })
    expect(moved.status).toBe(200)
    const { body } = await as(creator, live).events(reference as string)
    expect(body.data[1]).toMatchObject({ actor: operator.id, cause: 'status', reason })
  })

  it('an operator sees every user’s payments', async () => {
    const { reference } = (await as(creator, live).create()).body
    const seen = as(operator, live)
    expect((await seen.get(reference as string)).status).toBe(200)
    expect((await seen.events(reference as string)).status).toBe(200)
    const { body } = await seen.list('?limit=1')
    expect(body.data[0].reference).toBe(reference)
    expect((await seen.get(await newPayment(user))).status).toBe(200)
  })
})
