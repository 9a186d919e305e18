import { v7 } from 'uuid'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type OperatorStage, startOperatorStage } from './operators-stage.js'
import { migratedDatabase, startStatementProxy, type StatementProxy } from './statement-proxy.js'

/**
 * The connection to PostgreSQL is lost after the commit and before the result arrives. The operator gets the result of
 * the first execution, and the action is recorded once.
 */

let watched: StatementProxy
let sandbox: OperatorStage
let live: OperatorStage

beforeAll(async () => {
  const started = await startStatementProxy()
  watched = started.watched
  const stageOn = (mode: 'sandbox' | 'live', databaseUrl: string) =>
    startOperatorStage(mode, { DATABASE_URL: watched.through(databaseUrl) })
  sandbox = await stageOn('sandbox', started.databaseUrl)
  live = await stageOn('live', await migratedDatabase())
})
afterAll(async () => {
  await Promise.all([sandbox.close(), live.close()])
  await watched.proxy.close()
})

/** Loses the result of the next statement of this name, which is sent by `request`. */
async function losing<T>(name: string, request: () => Promise<T>): Promise<T> {
  watched.reset()
  watched.loseResultOf(name)
  const answer = await request()
  expect(watched.sent).toBeGreaterThan(0)
  watched.reset()
  return answer
}

const declined = {
  outcome: 'declined',
  reason: 'Known.',
  evidence: 'ticket 4711',
  failure: 'provider_error',
}

async function actionsOf(stage: OperatorStage, query: string): Promise<string[]> {
  const { data } = (await stage.operators[2].actions(query)).body
  return (data as { action: string }[]).map(({ action }) => action)
}

it('of a resolution', async () => {
  const { attemptId, payment } = await sandbox.charge('in_doubt')
  const [operator] = sandbox.operators
  const answer = await losing('attempt_conclude_operated', () =>
    operator.resolve(attemptId, declined),
  )
  expect(answer).toMatchObject({ status: 200, body: { state: 'declined', version: 2 } })
  expect(await actionsOf(sandbox, `?attempt=${attemptId}`)).toEqual(['resolve'])
  expect((await operator.payment(payment)).body.version).toBe(2)
})

it('of a resolution without outcome', async () => {
  const { attemptId } = await sandbox.charge('in_doubt', { attention: 'deadline' })
  const answer = await losing('attempt_conclude_operated', () =>
    sandbox.operators[0].resolve(attemptId, { reason: 'Known.' }),
  )
  expect(answer).toMatchObject({ status: 200, body: { attention: null, version: 2 } })
})

it('of a proposal, its confirmation and its cancellation', async () => {
  const { attemptId } = await live.charge('in_doubt')
  const [one, two] = live.operators
  const propose = () => losing('attempt_propose', () => one.resolve(attemptId, declined))
  const first = await propose()
  const second = await propose()
  expect([first.status, second.status]).toEqual([202, 202])
  const { proposals } = (await one.get(attemptId)).body
  expect(proposals.map(({ id }: { id: string }) => id)).toEqual([second.body.id, first.body.id])
  const cancelled = await losing('attempt_proposal_cancel', () =>
    one.cancel(attemptId, second.body.id),
  )
  expect(cancelled.status).toBe(204)
  const confirmed = await losing('attempt_conclude_operated', () =>
    two.confirm(attemptId, first.body.id, declined),
  )
  expect(confirmed).toMatchObject({ status: 200, body: { state: 'declined', version: 2 } })
  expect(await actionsOf(live, `?attempt=${attemptId}`)).toEqual([
    'resolve_confirm',
    'resolve_cancel',
    'resolve_propose',
    'resolve_propose',
  ])
})

it('of a query', async () => {
  const { attemptId } = await sandbox.charge('in_doubt')
  const answer = await losing('attempt_query_operated', () => sandbox.operators[0].query(attemptId))
  expect(answer.status).toBe(202)
  expect(await actionsOf(sandbox, `?attempt=${attemptId}`)).toEqual(['query'])
})

it('of a replay, and of reading a body', async () => {
  const account = 'airtel-ug'
  const { attemptId, reference } = await sandbox.charge('in_doubt', { account })
  const transaction = { id: reference, status_code: 'TS', airtel_money_id: v7() }
  const body = JSON.stringify({ transaction })
  const message = await sandbox.message({ body, verdict: 'signed', attemptId })
  const [operator] = sandbox.operators
  const replayed = await losing('attempt_conclude_operated', () => operator.replay(message))
  expect(replayed).toMatchObject({ status: 200, body: { result: 'applied' } })
  expect((await losing('provider_message_read', () => operator.message(message))).status).toBe(200)
  expect(await actionsOf(sandbox, `?attempt=${attemptId}`)).toEqual(['read_body', 'replay'])
})

it('of recording a list of payments', async () => {
  const [, operator] = sandbox.operators
  expect((await losing('operator_action_insert', () => operator.payments())).status).toBe(200)
  expect(await actionsOf(sandbox, `?operator=${operator.id}`)).toEqual(['list_payments'])
})
