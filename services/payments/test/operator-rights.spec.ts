import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OperatorStage, startOperatorStage } from './operators-stage.js'
import { databaseWithRole } from './role-database.js'

/** Operators, with the privileges that the built `migrate` command grants to the service's role. */

const { ownerUrl, serviceUrl, dropRole } = await databaseWithRole()

let stage: OperatorStage
beforeAll(async () => {
  stage = await startOperatorStage('live', { DATABASE_URL: serviceUrl }, ownerUrl)
})
afterAll(async () => {
  await stage.close()
  await dropRole()
})

const declined = {
  outcome: 'declined',
  reason: 'Known.',
  evidence: 'ticket 4711',
  failure: 'provider_error',
}

describe('the service’s role', () => {
  it('can do all that operators do', async () => {
    const [one, two] = stage.operators
    const account = 'airtel-ug'
    const { attemptId } = await stage.charge('in_doubt', { account })
    const message = await stage.message({ body: '{}', attemptId })
    const first = (await one.resolve(attemptId, declined)).body.id as string
    const second = (await one.resolve(attemptId, declined)).body.id as string
    const answers = [
      await one.cancel(attemptId, second),
      await two.confirm(attemptId, first, declined),
      await one.query(attemptId),
      await one.message(message),
      await one.replay(message),
      await one.messages(),
      await one.list(),
      await one.get(attemptId),
      await one.payments(),
      await one.actions(),
    ]
    expect(answers.map(({ status }) => status)).toEqual([
      204, 200, 202, 200, 200, 200, 200, 200, 200, 200,
    ])
  })

  it.each([
    'DELETE FROM operator_actions',
    'UPDATE operator_actions SET operator = operator',
    'DELETE FROM attempt_proposals',
    'UPDATE attempt_proposals SET proposed_by = proposed_by',
    'UPDATE attempt_proposals SET expires_at = expires_at',
  ])('can’t execute %s', async (statement) => {
    await expect(stage.payments.sql(statement)).rejects.toMatchObject({ code: '42501' })
  })
})
