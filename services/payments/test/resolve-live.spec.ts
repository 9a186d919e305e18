import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OperatorStage, problemOf, startOperatorStage } from './operators-stage.js'

/** In live, one operator proposes and another one confirms. */

let stage: OperatorStage
beforeAll(async () => {
  stage = await startOperatorStage('live')
})
afterAll(() => stage.close())

const declined = (own: object = {}) => ({
  outcome: 'declined',
  reason: 'The provider’s support has found no payment.',
  evidence: 'ticket 4711',
  failure: 'provider_error',
  ...own,
})
const succeeded = (own: object = {}) => ({
  outcome: 'succeeded',
  reason: 'The statement of the provider has it.',
  evidence: 'statement of 31 January',
  transactionId: v7(),
  ...own,
})

async function proposed(body: object = declined(), own: { attention?: string } = {}) {
  const charge = await stage.charge('in_doubt', own)
  const { status, body: proposal } = await stage.operators[0].resolve(charge.attemptId, body)
  expect(status).toBe(202)
  return { ...charge, proposal: proposal.id as string, body }
}

async function actionsOf(attemptId: string) {
  const { data } = (await stage.operators[0].actions(`?attempt=${attemptId}`)).body
  return (data as { action: string; operator: string }[]).map(({ action, operator }) => [
    action,
    stage.operators.findIndex(({ id }) => id === operator),
  ])
}

describe('a proposal', () => {
  it('changes nothing, and is shown with its attempt', async () => {
    const { attemptId } = await stage.charge('in_doubt')
    const before = await stage.attempt(attemptId)
    const body = succeeded()
    const answer = await stage.operators[0].resolve(attemptId, body)
    expect(answer.status).toBe(202)
    expect(answer.body).toEqual({
      id: expect.any(String),
      attempt: attemptId,
      attemptVersion: 1,
      proposedBy: stage.operators[0].id,
      ...body,
      failure: null,
      createdAt: expect.any(String),
      expiresAt: expect.any(String),
    })
    const { createdAt, expiresAt, id } = answer.body
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(86_400_000)
    expect(answer.headers.get('location')).toBe(`/api/attempts/${attemptId}/resolve/${id}`)
    expect(await stage.attempt(attemptId)).toEqual(before)
    const { body: shown } = await stage.operators[1].get(attemptId)
    expect(shown.proposals).toEqual([answer.body])
    expect(await actionsOf(attemptId)).toEqual([['resolve_propose', 0]])
  })

  it('resolves the attempt when another operator confirms it', async () => {
    const { attemptId, payment, proposal, body } = await proposed(succeeded())
    const answer = await stage.operators[1].confirm(attemptId, proposal, body)
    expect(answer).toMatchObject({ status: 200, body: { state: 'succeeded', version: 2 } })
    expect((await stage.operators[0].payment(payment)).body.status).toBe('SUCCESS')
    expect(await actionsOf(attemptId)).toEqual([
      ['resolve_confirm', 1],
      ['resolve_propose', 0],
    ])
    expect((await stage.operators[0].get(attemptId)).body.proposals).toEqual([])
  })

  it('clears the attention when another operator confirms it', async () => {
    const body = { reason: 'The merchant was refunded.' }
    const { attemptId, proposal } = await proposed(body, { attention: 'deadline' })
    const answer = await stage.operators[1].confirm(attemptId, proposal, body)
    expect(answer).toMatchObject({ status: 200, body: { state: 'in_doubt', attention: null } })
  })

  it('is not confirmed by its own operator, also directly in the database', async () => {
    const { attemptId, proposal, body } = await proposed()
    const answer = await stage.operators[0].confirm(attemptId, proposal, body)
    expect(problemOf(answer)).toBe('403 own-proposal')
    const update = `UPDATE attempt_proposals SET ended_as = 'confirmed', ended_by = proposed_by, ended_at = now() WHERE id = $1`
    await expect(stage.payments.sql(update, proposal)).rejects.toMatchObject({
      constraint: 'attempt_proposals_ended_by_check',
    })
    expect((await stage.attempt(attemptId)).state).toBe('in_doubt')
  })

  it.each([
    ['another outcome', { outcome: 'not_sent', failure: 'not_sent' }],
    ['another failure', { failure: 'payer_rejected' }],
    ['another reason', { reason: 'Because.' }],
    ['other evidence', { evidence: 'ticket 4712' }],
  ])('is not confirmed with %s', async (_, own) => {
    const { attemptId, proposal } = await proposed()
    const answer = await stage.operators[1].confirm(attemptId, proposal, declined(own))
    expect(problemOf(answer)).toBe('409 other-proposal')
    expect((await stage.attempt(attemptId)).state).toBe('in_doubt')
  })

  it('is not confirmed with another transaction id', async () => {
    const { attemptId, proposal, body } = await proposed(succeeded())
    const other = { ...body, transactionId: v7() }
    const answer = await stage.operators[1].confirm(attemptId, proposal, other)
    expect(problemOf(answer)).toBe('409 other-proposal')
  })

  it('is not confirmed by an operator who has read another version of the attempt', async () => {
    const { attemptId, proposal, body } = await proposed()
    const answer = await stage.operators[1].confirm(attemptId, proposal, { ...body, version: 2 })
    expect(problemOf(answer)).toBe('409 attempt-changed')
    const right = await stage.operators[1].confirm(attemptId, proposal, { ...body, version: 1 })
    expect(right.status).toBe(200)
  })

  it('is void when its attempt has changed', async () => {
    const { attemptId, proposal, body } = await proposed(declined(), { attention: 'vanished' })
    const clear = { reason: 'Known.' }
    const second = (await stage.operators[1].resolve(attemptId, clear)).body.id
    expect((await stage.operators[2].confirm(attemptId, second, clear)).status).toBe(200)
    const answer = await stage.operators[1].confirm(attemptId, proposal, body)
    expect(problemOf(answer)).toBe('409 attempt-changed')
    expect((await stage.attempt(attemptId)).state).toBe('in_doubt')
  })

  it('ends after 24 hours', async () => {
    const { attemptId, proposal, body } = await proposed()
    await stage.payments.sql(
      'ALTER TABLE attempt_proposals DISABLE TRIGGER attempt_proposals_immutable',
    )
    await stage.payments.sql(
      'UPDATE attempt_proposals SET expires_at = now() WHERE id = $1',
      proposal,
    )
    await stage.payments.sql(
      'ALTER TABLE attempt_proposals ENABLE TRIGGER attempt_proposals_immutable',
    )
    const answer = await stage.operators[1].confirm(attemptId, proposal, body)
    expect(problemOf(answer)).toBe('409 proposal-ended')
    expect((await stage.operators[1].get(attemptId)).body.proposals).toEqual([])
  })

  it('is cancelled by its own operator only, once', async () => {
    const { attemptId, proposal, body } = await proposed()
    expect(problemOf(await stage.operators[1].cancel(attemptId, proposal))).toBe('403 own-proposal')
    expect((await stage.operators[0].cancel(attemptId, proposal)).status).toBe(204)
    for (const answer of [
      await stage.operators[0].cancel(attemptId, proposal),
      await stage.operators[1].confirm(attemptId, proposal, body),
    ]) {
      expect(problemOf(answer)).toBe('409 proposal-ended')
    }
    expect(await actionsOf(attemptId)).toEqual([
      ['resolve_cancel', 0],
      ['resolve_propose', 0],
    ])
  })

  it('belongs to one attempt', async () => {
    const { proposal, body } = await proposed()
    const { attemptId } = await stage.charge('in_doubt')
    for (const id of [proposal, v7(), 'nothing']) {
      const answer = await stage.operators[1].confirm(attemptId, id, body)
      expect(problemOf(answer)).toBe('404 proposal-not-found')
      expect(problemOf(await stage.operators[0].cancel(attemptId, id))).toBe(
        '404 proposal-not-found',
      )
    }
  })

  it('is rejected if the attempt can’t be resolved so', async () => {
    const { attemptId } = await stage.charge('succeeded')
    expect(problemOf(await stage.operators[0].resolve(attemptId, declined()))).toBe(
      '409 attempt-state',
    )
  })

  it.each(['UPDATE attempt_proposals SET reason = $2 WHERE id = $1'])(
    'never changes: %s',
    async (update) => {
      const { proposal } = await proposed()
      await expect(stage.payments.sql(update, proposal, 'x')).rejects.toThrow(/is not allowed/)
    },
  )
})

describe('an operator who owns the payment', () => {
  it('neither proposes nor confirms', async () => {
    const owner = stage.operators[1]
    const { attemptId } = await stage.charge('in_doubt', { owner: owner.id })
    const body = declined()
    expect(problemOf(await owner.resolve(attemptId, body))).toBe('403 own-payment')
    const { id } = (await stage.operators[0].resolve(attemptId, body)).body
    expect(problemOf(await owner.confirm(attemptId, id, body))).toBe('403 own-payment')
    expect((await stage.operators[2].confirm(attemptId, id, body)).status).toBe(200)
  })
})

describe('of concurrent requests', () => {
  it('one confirmation applies', async () => {
    for (let round = 0; round < 10; round++) {
      const { attemptId, proposal, body } = await proposed(succeeded())
      const answers = await Promise.all(
        [1, 2, 1, 2].map((nth) => stage.operators[nth as 1 | 2].confirm(attemptId, proposal, body)),
      )
      const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
      expect(statuses).toEqual([200, 409, 409, 409])
      expect(await stage.attempt(attemptId)).toMatchObject({ state: 'succeeded', version: 2 })
      const kinds = (await actionsOf(attemptId)).map(([action]) => action)
      expect(kinds).toEqual(['resolve_confirm', 'resolve_propose'])
    }
  })

  it('one of two proposals applies', async () => {
    for (let round = 0; round < 10; round++) {
      const one = await proposed(succeeded())
      const body = declined()
      const other = (await stage.operators[1].resolve(one.attemptId, body)).body.id
      const answers = await Promise.all([
        stage.operators[2].confirm(one.attemptId, one.proposal, one.body),
        stage.operators[2].confirm(one.attemptId, other, body),
      ])
      const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
      expect(statuses).toEqual([200, 409])
      const isFirst = answers[0].status === 200
      expect((await stage.attempt(one.attemptId)).state).toBe(isFirst ? 'succeeded' : 'declined')
    }
  })

  it('either the confirmation or the cancellation applies', async () => {
    for (let round = 0; round < 10; round++) {
      const { attemptId, proposal, body } = await proposed()
      const [confirmed, cancelled] = await Promise.all([
        stage.operators[1].confirm(attemptId, proposal, body),
        stage.operators[0].cancel(attemptId, proposal),
      ])
      const isConfirmed = confirmed.status === 200
      expect(cancelled.status).toBe(isConfirmed ? 409 : 204)
      expect((await stage.attempt(attemptId)).state).toBe(isConfirmed ? 'declined' : 'in_doubt')
    }
  })
})
