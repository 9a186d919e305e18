import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OperatorStage, problemOf, startOperatorStage } from './operators-stage.js'

/** In the sandbox, one operator resolves an attempt at once. */

let stage: OperatorStage
beforeAll(async () => {
  stage = await startOperatorStage('sandbox')
})
afterAll(() => stage.close())

const succeeded = (own: object = {}) => ({
  outcome: 'succeeded',
  reason: 'The statement of the provider has it.',
  evidence: 'statement of 31 January, line 17',
  transactionId: v7(),
  ...own,
})
const declined = (own: object = {}) => ({
  outcome: 'declined',
  reason: 'The provider’s support has found no payment.',
  evidence: 'ticket 4711',
  ...own,
})
const notSent = (own: object = {}) => declined({ outcome: 'not_sent', ...own })
const clear = { reason: 'The merchant was refunded.' }

describe('an operator', () => {
  it('ends an attempt as succeeded, with the transaction id of the provider', async () => {
    const [operator] = stage.operators
    const { attemptId, payment } = await stage.charge('in_doubt', { attention: 'vanished' })
    const body = succeeded()
    const answer = await operator.resolve(attemptId, body)
    expect(answer).toMatchObject({
      status: 200,
      body: {
        state: 'succeeded',
        closedCause: 'operator',
        attention: null,
        providerTransactionId: body.transactionId,
        payment: { reference: payment, status: 'SUCCESS', amount: '5000' },
        version: 2,
      },
    })
    expect((await operator.payment(payment)).body).toMatchObject({
      status: 'SUCCESS',
      needsAttention: false,
      amountUnverified: false,
      providerTransactionId: body.transactionId,
    })
    const events = (await operator.events(payment)).body.data
    expect(events.at(-1)).toMatchObject({
      actor: operator.id,
      cause: 'attempt',
      reason: body.reason,
    })
  })

  it('ends an attempt as declined, with a reason of the vocabulary', async () => {
    const [operator] = stage.operators
    for (const failure of ['payer_rejected', undefined] as const) {
      const { attemptId, payment } = await stage.charge('accepted')
      expect(await operator.resolve(attemptId, declined({ failure }))).toMatchObject({
        status: 200,
      })
      expect((await operator.payment(payment)).body).toMatchObject({
        status: 'FAILED',
        failure: { code: failure ?? 'provider_error', providerCode: null },
      })
    }
  })

  it('ends an attempt in doubt as not sent', async () => {
    const [operator] = stage.operators
    const { attemptId } = await stage.charge('in_doubt')
    const answer = await operator.resolve(attemptId, notSent())
    expect(answer.body).toMatchObject({ state: 'not_sent', failure: 'not_sent' })
  })

  it('ends a queued attempt as not sent only, without queries afterwards', async () => {
    const [operator] = stage.operators
    const { attemptId, payment } = await stage.charge('queued')
    for (const body of [succeeded(), declined()]) {
      const answer = await operator.resolve(attemptId, body)
      expect(problemOf(answer)).toBe('409 attempt-state')
      expect(answer.body.detail).toContain('resolved as not_sent')
    }
    expect((await operator.resolve(attemptId, notSent())).body.state).toBe('not_sent')
    expect(await stage.attempt(attemptId)).toMatchObject({ state: 'not_sent', call: null })
    const events = (await operator.events(payment)).body.data
    expect(events.map((event: { to: string }) => event.to)).toEqual([
      'INITIATED',
      'PENDING',
      'FAILED',
    ])
  })

  it.each(['succeeded', 'declined', 'not_sent'] as const)(
    'does not resolve an attempt that is %s',
    async (state) => {
      const [operator] = stage.operators
      const { attemptId } = await stage.charge(state)
      const before = await stage.attempt(attemptId)
      for (const body of [succeeded(), declined(), notSent(), clear]) {
        expect(problemOf(await operator.resolve(attemptId, body))).toBe('409 attempt-state')
      }
      expect(await stage.attempt(attemptId)).toEqual(before)
    },
  )

  it('does not resolve an accepted attempt as not sent: the provider has it', async () => {
    const { attemptId } = await stage.charge('accepted')
    const answer = await stage.operators[0].resolve(attemptId, notSent())
    expect(problemOf(answer)).toBe('409 attempt-state')
  })

  it('does not use a transaction id for two payments: nothing changes', async () => {
    const [operator] = stage.operators
    const [one, two] = [await stage.charge('in_doubt'), await stage.charge('in_doubt')]
    const body = succeeded()
    expect((await operator.resolve(one.attemptId, body)).status).toBe(200)
    const before = await stage.attempt(two.attemptId)
    expect(problemOf(await operator.resolve(two.attemptId, body))).toBe('422 transaction-id-used')
    expect(await stage.attempt(two.attemptId)).toEqual(before)
    const { body: actions } = await operator.actions(`?attempt=${two.attemptId}`)
    expect(actions.data).toEqual([])
  })

  it('does not resolve an attempt of a payment that they created', async () => {
    const [operator, other] = stage.operators
    const { attemptId } = await stage.charge('in_doubt', { owner: operator.id })
    expect(problemOf(await operator.resolve(attemptId, declined()))).toBe('403 own-payment')
    expect((await other.resolve(attemptId, declined())).status).toBe(200)
  })

  it('who states a version that has changed gets 409', async () => {
    const [operator] = stage.operators
    const { attemptId } = await stage.charge('in_doubt', { attention: 'deadline' })
    const answer = await operator.resolve(attemptId, declined({ version: 2 }))
    expect(problemOf(answer)).toBe('409 attempt-changed')
    expect((await operator.resolve(attemptId, declined({ version: 1 }))).status).toBe(200)
  })
})

describe('clearing the attention', () => {
  it.each(['in_doubt', 'declined', 'succeeded'] as const)(
    'of an attempt that is %s changes no state',
    async (state) => {
      const [operator] = stage.operators
      const { attemptId, payment } = await stage.charge(state, { attention: 'late_success' })
      expect((await operator.payment(payment)).body.needsAttention).toBe(true)
      const answer = await operator.resolve(attemptId, clear)
      expect(answer).toMatchObject({ status: 200, body: { state, attention: null, version: 2 } })
      expect((await operator.payment(payment)).body.needsAttention).toBe(false)
      const detail = (await operator.get(attemptId)).body
      expect(detail.events.at(-1)).toMatchObject({
        from: state,
        to: state,
        cause: 'operator',
        actor: operator.id,
        reason: clear.reason,
      })
      const { body } = await operator.actions(`?attempt=${attemptId}`)
      expect(body.data).toMatchObject([{ action: 'attention_clear', operator: operator.id }])
    },
  )

  it('leaves the next query as it is', async () => {
    const { attemptId } = await stage.charge('in_doubt', { attention: 'vanished' })
    await stage.operators[0].resolve(attemptId, clear)
    expect(await stage.attempt(attemptId)).toMatchObject({ call: 'query', idle: true })
  })

  it('of an attempt without any is 409', async () => {
    const { attemptId } = await stage.charge('in_doubt')
    expect(problemOf(await stage.operators[0].resolve(attemptId, clear))).toBe('409 attempt-state')
  })
})

describe('an attempt that a person ended', () => {
  it('keeps its queries', async () => {
    for (const body of [succeeded(), declined(), notSent()]) {
      const { attemptId } = await stage.charge('in_doubt')
      await stage.operators[0].resolve(attemptId, body)
      const { work } = (await stage.operators[0].get(attemptId)).body
      expect(work).toMatchObject({ call: 'query', tries: 0, isUnderWay: false })
      const seconds = (Date.parse(work.dueAt) - Date.now()) / 1_000
      expect(seconds).toBeGreaterThan(500)
      expect(seconds).toBeLessThan(700)
    }
  })
})

describe('the body', () => {
  it.each([
    ['no reason', declined({ reason: undefined }), 'reason'],
    ['an empty reason', declined({ reason: '' }), 'reason'],
    ['a long reason', declined({ reason: 'x'.repeat(501) }), 'reason'],
    ['no evidence', declined({ evidence: undefined }), 'evidence'],
    ['no evidence but null', declined({ evidence: null }), 'evidence'],
    ['no transaction id', succeeded({ transactionId: undefined }), 'transactionId'],
    [
      'a transaction id with a space at its end',
      succeeded({ transactionId: 'a ' }),
      'transactionId',
    ],
    ['a transaction id of a failure', declined({ transactionId: 'a' }), 'transactionId'],
    ['a failure of a success', succeeded({ failure: 'payer_rejected' }), 'failure'],
    ['an unknown failure', declined({ failure: 'bad_luck' }), 'failure'],
    ['an unknown outcome', declined({ outcome: 'accepted' }), 'outcome'],
    ['a failure without an outcome', { ...clear, failure: 'not_sent' }, 'failure'],
    ['a version that is no number', declined({ version: '1' }), 'version'],
    ['an unknown field', declined({ state: 'declined' }), 'state'],
    ['a NUL character', declined({ reason: 'a\0b' }), 'reason'],
  ])('with %s is rejected', async (_, body, field) => {
    const { attemptId } = await stage.charge('in_doubt')
    const answer = await stage.operators[0].resolve(attemptId, body)
    expect(problemOf(answer)).toBe('400 validation')
    expect(answer.body.errors.map((error: { field: string }) => error.field)).toEqual([field])
  })
})

it('records each action with its content, in the transaction of its effect', async () => {
  const [operator] = stage.operators
  const { attemptId, payment } = await stage.charge('in_doubt', { attention: 'vanished' })
  const body = succeeded()
  await operator.resolve(attemptId, body)
  const { data } = (await operator.actions(`?attempt=${attemptId}`)).body
  expect(data).toEqual([
    {
      id: expect.any(String),
      at: expect.any(String),
      operator: operator.id,
      action: 'resolve',
      attempt: attemptId,
      payment,
      message: null,
      proposal: null,
      reason: body.reason,
      evidence: body.evidence,
      details: {
        outcome: 'succeeded',
        transactionId: body.transactionId,
        from: 'in_doubt',
        result: 'applied',
        state: 'succeeded',
      },
    },
  ])
  const [row] = await stage.payments.sql(
    `SELECT action.xmin::text = event.xmin::text AS "isOne" FROM operator_actions AS action
     JOIN attempt_events AS event ON event.operation_id = action.id WHERE action.id = $1`,
    data[0].id,
  )
  expect(row).toEqual({ isOne: true })
})

it.each([
  `UPDATE operator_actions SET reason = 'x'`,
  'DELETE FROM operator_actions',
  'TRUNCATE operator_actions',
  'DELETE FROM attempt_proposals',
])('the database rejects %s', async (statement) => {
  await expect(stage.payments.sql(statement)).rejects.toThrow(/is not allowed/)
})
