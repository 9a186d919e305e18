import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freshDatabase, query } from '@malipo/testing/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OperatorStage, startOperatorStage } from './operators-stage.js'
import { environment } from './payments.js'

/** Operators, with the privileges that the built `migrate` command grants to the service's role. */

const SCRIPT = join(import.meta.dirname, '../dist/migrate.js')
const ROLE = `payments_${randomUUID().slice(0, 8)}`

let ownerUrl: string
let stage: OperatorStage
beforeAll(async () => {
  ownerUrl = await freshDatabase('payments')
  await query(ownerUrl, `CREATE ROLE ${ROLE} LOGIN PASSWORD 'role'`)
  const env = environment({ DATABASE_URL: ownerUrl, DB_SERVICE_ROLE: ROLE })
  await promisify(execFile)(process.execPath, [SCRIPT], { env })
  const url = new URL(ownerUrl)
  url.username = ROLE
  url.password = 'role'
  stage = await startOperatorStage('live', { DATABASE_URL: url.href }, ownerUrl)
})
afterAll(async () => {
  await stage.close()
  await query(ownerUrl, `DROP OWNED BY ${ROLE}`)
  await query(ownerUrl, `DROP ROLE ${ROLE}`)
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
