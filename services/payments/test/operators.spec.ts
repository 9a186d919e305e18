import fc from 'fast-check'
import { v7 } from 'uuid'
import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { operatorOf, type OperatorStage, problemOf, startOperatorStage } from './operators-stage.js'

/** What operators see, and who is one. */

let stage: OperatorStage
beforeAll(async () => {
  stage = await startOperatorStage('sandbox')
})
afterAll(() => stage.close())

const listed = ({ body }: { body: { data: { id: string }[] } }) => body.data.map(({ id }) => id)
const resolution = { outcome: 'declined', reason: 'Known.', evidence: 'ticket 4711' }

describe('a list of attempts', () => {
  it('is filtered by attention, account, state and payment, newest first', async () => {
    const [operator] = stage.operators
    const own = { account: 'acme' }
    const first = await stage.charge('in_doubt', { ...own, attention: 'vanished' })
    const second = await stage.charge('accepted', own)
    const third = await stage.charge('declined', { ...own, attention: 'late_success' })
    const fourth = await stage.charge('succeeded', own)
    const ids = [first, second, third, fourth].map(({ attemptId }) => attemptId)
    const [one, two, three, four] = ids
    const of = async (query: string) => listed(await operator.list(`?account=acme${query}`))
    expect(await of('')).toEqual([four, three, two, one])
    expect(await of('&attention=true')).toEqual([three, one])
    expect(await of('&attention=false')).toEqual([four, two])
    expect(await of('&state=in_doubt')).toEqual([one])
    expect(await of('&state=declined')).toEqual([three])
    expect(await of('&state=not_sent')).toEqual([])
    expect(await of('&state=succeeded')).toEqual([four])
    expect(await of(`&payment=${second.payment}`)).toEqual([two])
    expect(listed(await operator.list('?account=airtel-ug'))).toEqual([])
  })

  it('has pages', async () => {
    const [operator] = stage.operators
    const own = { account: 'airtel-ug' }
    const ids: string[] = []
    for (let nth = 0; nth < 5; nth++) {
      ids.unshift((await stage.charge('accepted', own)).attemptId)
    }
    const found: string[] = []
    let cursor = ''
    do {
      const answer = await operator.list(`?account=airtel-ug&limit=2${cursor}`)
      found.push(...listed(answer))
      cursor = answer.body.nextCursor && `&cursor=${answer.body.nextCursor}`
    } while (cursor)
    expect(found).toEqual(ids)
  })

  it.each([
    'attention=yes',
    'account=A',
    'account=',
    'state=done',
    'payment=PAY-1',
    // Not of version 7: no payment has it.
    'payment=PAY-00000000-0000-4000-8000-000000000000',
    `payment=${v7()}`,
    'limit=0',
    'limit=101',
    'cursor=x',
    'page=2',
    'attention=true&attention=false',
  ])('rejects ?%s', async (query) => {
    expect(problemOf(await stage.operators[0].list(`?${query}`))).toBe('400 validation')
  })
})

describe('an attempt', () => {
  it('is shown with its payment, events, work and messages, without personal data', async () => {
    const charge = await stage.charge('in_doubt')
    const { attemptId, payment } = charge
    const message = await stage.message({ body: '{"msisdn":"256772123456"}', attemptId })
    const { body } = await stage.operators[0].get(attemptId)
    expect(body).toMatchObject({
      id: attemptId,
      payment: { reference: payment, amount: '5000', currency: 'UGX', status: 'PENDING' },
      work: { call: 'query', dueAt: null, isUnderWay: false },
      messages: [{ id: message, kind: 'callback', size: 25 }],
      events: [],
      proposals: [],
    })
    expect(JSON.stringify(body)).not.toMatch(/256772123456|amina/)
  })

  it('that does not exist is 404', async () => {
    for (const id of [v7(), 'x', '1', `${v7()}x`]) {
      const [operator] = stage.operators
      for (const answer of [
        await operator.get(id),
        await operator.query(id),
        await operator.resolve(id, resolution),
        await operator.confirm(id, v7(), resolution),
        await operator.cancel(id, v7()),
      ]) {
        expect(problemOf(answer)).toBe('404 attempt-not-found')
      }
    }
  })
})

describe('the scope payments:admin', () => {
  it('is needed for each route; the owner of a payment has none either', async () => {
    const owner = await newUser()
    const user = operatorOf(owner, stage.payments)
    const { attemptId } = await stage.charge('in_doubt', { owner: owner.id, attention: 'vanished' })
    const message = await stage.message({ body: '{}', attemptId })
    const before = await stage.attempt(attemptId)
    for (const answer of [
      await user.list(),
      await user.get(attemptId),
      await user.query(attemptId),
      await user.resolve(attemptId, resolution),
      await user.confirm(attemptId, v7(), resolution),
      await user.cancel(attemptId, v7()),
      await user.messages(),
      await user.message(message),
      await user.replay(message),
      await user.actions(),
    ]) {
      expect(problemOf(answer)).toBe('403 insufficient-scope')
    }
    const anybody = operatorOf({ ...owner, token: 'x' }, stage.payments)
    expect((await anybody.list()).status).toBe(401)
    expect(await stage.attempt(attemptId)).toEqual(before)
    const sql = 'SELECT count(*)::int AS n FROM operator_actions WHERE operator = $1'
    expect(await stage.payments.sql(sql, owner.id)).toEqual([{ n: 0 }])
  })
})

describe('a list of payments', () => {
  it('by an operator is recorded with its filters, and without the phone number', async () => {
    const operator = stage.operators[2]
    const query = '?status=PENDING&customerPhone=%2B256772123456&limit=3'
    expect((await operator.payments(query)).status).toBe(200)
    const { data } = (await operator.actions(`?operator=${operator.id}`)).body
    expect(data).toMatchObject([
      {
        action: 'list_payments',
        attempt: null,
        details: { status: 'PENDING', limit: 3, hasCustomerPhone: true },
      },
    ])
    expect(JSON.stringify(data)).not.toContain('256772123456')
  })

  it('by a merchant is not recorded', async () => {
    const user = operatorOf(stage.merchant, stage.payments)
    expect((await user.payments()).status).toBe(200)
    const { data } = (await stage.operators[0].actions(`?operator=${user.id}`)).body
    expect(data).toEqual([])
  })
})

describe('metrics', () => {
  it('count open attempts, and those that need an operator', async () => {
    await stage.charge('accepted', { account: 'mtn-ug' })
    await stage.charge('declined', { account: 'mtn-ug', attention: 'late_success' })
    const count = async (text: string, value: string) => {
      const [row] = await stage.payments.sql<{ n: number }>(text, 'mtn-ug', value)
      return row?.n
    }
    const open = await count(
      'SELECT count(*)::int AS n FROM payment_attempts WHERE account = $1 AND state = $2',
      'accepted',
    )
    const flagged = await count(
      'SELECT count(*)::int AS n FROM payment_attempts WHERE account = $1 AND attention = $2',
      'late_success',
    )
    const metric = (line: string) => stage.payments.metric(line)
    await until(async () => {
      const values = [
        await metric('attempts_open{account="mtn-ug",state="accepted"}'),
        await metric('attempts_needing_attention{account="mtn-ug",reason="late_success"}'),
      ]
      return values[0] === open && values[1] === flagged
    })
  })

  it('show how long a call is due', async () => {
    const { attemptId } = await stage.charge('queued', { account: 'acme' })
    // A later release's format, which no replica claims.
    await stage.payments.sql(
      `UPDATE attempt_work SET format = 2, due_at = now() - interval '1 hour' WHERE attempt_id = $1`,
      attemptId,
    )
    const line = 'attempts_oldest_due_seconds{account="acme",call="send"}'
    await until(async () => (await stage.payments.metric(line)) >= 3_600)
  })
})

it('answers arbitrary bodies of resolutions without a 5xx, and changes only what it accepts', async () => {
  let { attemptId } = await stage.charge('in_doubt', { attention: 'vanished' })
  let before = await stage.attempt(attemptId)
  const words = ['succeeded', 'declined', 'not_sent', 'payer_rejected', null, '', ' ', '\0', 'a b']
  const field = fc.oneof(
    fc.constantFrom(...words),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme', minLength: 1 }),
    fc.anything(),
  )
  const version = fc.oneof(fc.constant(1), field, fc.integer())
  const fields = {
    outcome: field,
    reason: field,
    evidence: field,
    transactionId: field,
    failure: field,
  }
  const body = fc.record({ ...fields, version }, { requiredKeys: [] })
  const counts = { accepted: 0, rejected: 0 }
  const property = fc.asyncProperty(body, async (given) => {
    const { status } = await stage.operators[0].resolve(attemptId, given)
    if (status === 200) {
      counts.accepted++
      attemptId = (await stage.charge('in_doubt', { attention: 'vanished' })).attemptId
      before = await stage.attempt(attemptId)
      return
    }
    counts.rejected++
    expect([400, 409]).toContain(status)
    expect(await stage.attempt(attemptId)).toEqual(before)
  })
  await fc.assert(property, { numRuns: 100 })
  const valid = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 })
  const texts = fc.record({ reason: valid, evidence: valid, outcome: fc.constant('declined') })
  await fc.assert(
    fc.asyncProperty(texts, async (given) => {
      const charge = await stage.charge('in_doubt')
      expect((await stage.operators[0].resolve(charge.attemptId, given)).status).toBe(200)
      const { data } = (await stage.operators[0].actions(`?attempt=${charge.attemptId}`)).body
      expect(data).toMatchObject([{ reason: given.reason, evidence: given.evidence }])
    }),
    { numRuns: 15 },
  )
  expect(counts.rejected).toBeGreaterThan(0)
}, 120_000)
