import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { lockRow, untilBlocked } from './locks.js'
import { type Payments, startPayments } from './payments.js'
import { startStatementProxy, type StatementProxy } from './statement-proxy.js'
import { as, type As, fromProvider, newPayment, webhookBody } from './requests.js'
import { until } from '@malipo/testing/until'

/** The proxy closes the connection after PostgreSQL has committed and before its result arrives. */

let watched: StatementProxy
/** Two replicas for the same user: `payments` connects through the proxy, `direct` does not. */
let payments: Payments
let direct: Payments
let user: As
let beside: As

beforeAll(async () => {
  const started = await startStatementProxy()
  const { databaseUrl } = started
  watched = started.watched
  payments = await startPayments({ DATABASE_URL: watched.through(databaseUrl) })
  direct = await startPayments({ DATABASE_URL: databaseUrl })
  const owner = await newUser()
  user = as(owner, payments)
  beside = as(owner, direct)
})
afterAll(async () => {
  await Promise.all([payments.close(), direct.close()])
  await watched.proxy.close()
})
beforeEach(() => watched.reset())

const key = () => ({ 'idempotency-key': randomUUID() })
const events = async (reference: string) =>
  (await beside.events(reference)).body.data as { to: string; cause: string }[]

describe('a lost result', () => {
  it.each([
    ['without a key', () => ({})],
    ['with a key', key],
  ])('of a create %s creates one payment and responds 201', async (_, headersOf) => {
    const headers: Record<string, string> = headersOf()
    const metadata = { mark: randomUUID() }
    watched.loseResultOf('payment_insert')
    const answer = await user.create({ metadata }, headers)
    expect(watched.sent).toBe(1)
    expect(answer.status).toBe(201)
    expect(answer.headers.get('idempotent-replayed')).toBeNull()
    const rows = await direct.sql<{ id: string }>(
      'SELECT id FROM payments WHERE metadata = $1',
      metadata,
    )
    expect(rows).toEqual([{ id: answer.body.id }])
    expect(await events(answer.body.reference as string)).toHaveLength(1)
    if (!headers['idempotency-key']) return
    const again = await user.create({ metadata }, headers)
    expect([again.body, again.headers.get('idempotent-replayed')]).toEqual([answer.body, 'true'])
  })

  it.each([
    ['without a key', () => ({})],
    ['with a key', key],
    ['with If-Match', () => ({ 'if-match': '"1"' })],
  ])('of a transition %s applies it once and responds 200', async (_, headersOf) => {
    const headers: Record<string, string> = headersOf()
    const reference = await newPayment(user)
    watched.loseResultOf('payment_transition')
    const answer = await user.move(reference, 'PENDING', headers)
    expect(watched.sent).toBe(1)
    expect(answer).toMatchObject({ status: 200, body: { status: 'PENDING', version: 2 } })
    expect(answer.headers.get('idempotent-replayed')).toBeNull()
    expect(await events(reference)).toHaveLength(2)
    if (!headers['idempotency-key']) return
    const again = await user.move(reference, 'PENDING', headers)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
  })

  it.each([
    ['a bearer', (reference: string) => user.webhook(webhookBody(reference, 'PENDING'))],
    [
      'a signature',
      (reference: string) => fromProvider(payments, webhookBody(reference, 'PENDING')),
    ],
  ])('of a webhook authenticated by %s applies it once', async (_, send) => {
    const reference = await newPayment(user)
    const applied = await payments.metric('webhooks_total{outcome="applied"}')
    watched.loseResultOf('webhook_apply')
    expect(await send(reference)).toMatchObject({ status: 200, body: { version: 2 } })
    expect(watched.sent).toBe(1)
    expect(await events(reference)).toHaveLength(2)
    expect(await payments.metric('webhooks_total{outcome="applied"}')).toBe(applied + 1)
  })

  it('of a superseded webhook counts it as superseded', async () => {
    const reference = await newPayment(user, 'PENDING', 'SUCCESS')
    const outcomes = () =>
      Promise.all(
        ['applied', 'superseded'].map((outcome) =>
          payments.metric(`webhooks_total{outcome="${outcome}"}`),
        ),
      )
    const [applied = 0, superseded = 0] = await outcomes()
    watched.loseResultOf('webhook_apply')
    expect((await user.webhook(webhookBody(reference, 'SUCCESS'))).status).toBe(200)
    expect(await outcomes()).toEqual([applied, superseded + 1])
  })

  it('of a webhook conflict counts it once', async () => {
    const body = webhookBody(await newPayment(user), 'PENDING')
    await user.webhook(body)
    watched.loseResultOf('webhook_conflict')
    expect((await user.webhook({ ...body, status: 'SUCCESS' })).status).toBe(422)
    const conflicts = await direct.sql(
      `SELECT times FROM provider_messages WHERE webhook_id = $1 AND outcome = 'conflict'`,
      body.webhookId,
    )
    expect(conflicts).toEqual([{ times: 1 }])
  })

  it('of a read is read again', async () => {
    const reference = await newPayment(user)
    watched.loseResultOf('payment_find')
    expect((await user.get(reference)).status).toBe(200)
    watched.loseResultOf('FROM "payments"')
    expect((await user.list()).status).toBe(200)
    watched.loseResultOf('FROM "payment_events"')
    expect((await user.events(reference)).status).toBe(200)
    expect(watched.sent).toBe(3)
  })

  it('of a rejected transition with a key stores the rejection once', async () => {
    const reference = await newPayment(user)
    const headers = key()
    watched.loseResultOf('payment_transition')
    const answer = await user.move(reference, 'SUCCESS', headers)
    expect(answer.status).toBe(400)
    expect(answer.headers.get('idempotent-replayed')).toBeNull()
    const again = await user.move(reference, 'SUCCESS', headers)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([400, 'true'])
  })
})

describe('a connection lost during a concurrent transition', () => {
  /** Closes the connection while the statement waits for the payment's row, then unlocks the row. */
  async function cutWhileBlocked(reference: string, moveTo?: string) {
    const release = await lockRow(direct, reference)
    const answer = user.move(reference, 'PENDING')
    await untilBlocked(direct, 1)
    watched.proxy.cut()
    // The retry waits for the row lock behind the first attempt.
    await untilBlocked(direct, 2)
    await release(moveTo)
    return answer
  }

  it('does not report the other transition as its own: 400', async () => {
    const reference = await newPayment(user)
    const answer = await cutWhileBlocked(reference, 'PENDING')
    expect(answer.status).toBe(400)
    expect((await user.get(reference)).body.version).toBe(2)
  })

  it('recognises the transition of its first attempt: 200', async () => {
    const reference = await newPayment(user)
    const answer = await cutWhileBlocked(reference)
    expect(answer).toMatchObject({ status: 200, body: { status: 'PENDING', version: 2 } })
    expect(await events(reference)).toHaveLength(2)
  })

  it('with a key, waits for the attempt that is still running: 200 and no replay', async () => {
    const reference = await newPayment(user)
    const headers = key()
    const release = await lockRow(direct, reference)
    const answer = user.move(reference, 'PENDING', headers)
    await untilBlocked(direct, 1)
    watched.proxy.cut()
    const second = await beside.move(reference, 'PENDING', headers)
    expect(second.status).toBe(409)
    await release()
    expect(await answer).toMatchObject({ status: 200, body: { version: 2 } })
    expect((await answer).headers.get('idempotent-replayed')).toBeNull()
    expect(await events(reference)).toHaveLength(2)
  })

  it('returns the state after its own transition, although a later one followed', async () => {
    const reference = await newPayment(user)
    watched.loseResultOf('payment_transition')
    const answer = user.move(reference, 'PENDING')
    await until(() => watched.sent > 0)
    await until(async () => (await beside.move(reference, 'FAILED')).status === 200)
    const { status, body } = await answer
    expect([status, body.status, body.version]).toEqual([200, 'PENDING', 2])
    expect((await events(reference)).map(({ to }) => to)).toEqual([
      'INITIATED',
      'PENDING',
      'FAILED',
    ])
  })
})
