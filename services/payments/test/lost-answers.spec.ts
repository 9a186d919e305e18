import { randomUUID } from 'node:crypto'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { freshDatabase } from '@malipo/testing/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { lockRow, untilBlocked } from './locks.js'
import { migrate, type Payments, startPayments } from './payments.js'
import { as, type As, fromProvider, newPayment, news } from './requests.js'
import { until } from './until.js'

/** The connection is cut after PostgreSQL has committed and before its answer is here. */

let proxy: Proxy
/** A replica whose wire is cut, and one beside it; the same user at both. */
let payments: Payments
let direct: Payments
let user: As
let beside: As
/** What is looked for in what is sent to PostgreSQL, and how often it was there. */
let statement = ''
let sent = 0

beforeAll(async () => {
  const databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  const url = new URL(databaseUrl)
  proxy = await startProxy(Number(url.port), (data) => {
    const isIt = data.includes(statement)
    if (isIt) sent++
    return isIt
  })
  url.port = String(proxy.port)
  payments = await startPayments({ DATABASE_URL: url.href })
  direct = await startPayments({ DATABASE_URL: databaseUrl })
  const someone = await newUser()
  user = as(someone, payments)
  beside = as(someone, direct)
})
afterAll(async () => {
  await Promise.all([payments.close(), direct.close()])
  await proxy.close()
})
beforeEach(() => void (sent = 0))

/** Loses the answer to the next statement of this name. */
function loseAnswerTo(name: string) {
  statement = name
  proxy.loseNextAnswer()
}

const key = () => ({ 'idempotency-key': randomUUID() })
const events = async (reference: string) =>
  (await beside.events(reference)).body.data as { to: string; cause: string }[]

describe('a lost answer: the write ends exactly once, and its caller gets 2xx', () => {
  it.each([
    ['without a key', () => ({})],
    ['with a key', key],
  ])('to a create %s', async (_, headersOf) => {
    const headers: Record<string, string> = headersOf()
    const metadata = { mark: randomUUID() }
    loseAnswerTo('payment_insert')
    const answer = await user.create({ metadata }, headers)
    expect(sent).toBe(1)
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
  ])('to a transition %s', async (_, headersOf) => {
    const headers: Record<string, string> = headersOf()
    const reference = await newPayment(user)
    loseAnswerTo('payment_transition')
    const answer = await user.move(reference, 'PENDING', headers)
    expect(sent).toBe(1)
    expect(answer).toMatchObject({ status: 200, body: { status: 'PENDING', version: 2 } })
    expect(answer.headers.get('idempotent-replayed')).toBeNull()
    expect(await events(reference)).toHaveLength(2)
    if (!headers['idempotency-key']) return
    const again = await user.move(reference, 'PENDING', headers)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
  })

  it.each([
    ['a bearer', (reference: string) => user.webhook(news(reference, 'PENDING'))],
    ['a signature', (reference: string) => fromProvider(payments, news(reference, 'PENDING'))],
  ])('to a webhook by %s', async (_, send) => {
    const reference = await newPayment(user)
    const applied = await payments.metric('webhooks_total{outcome="applied"}')
    loseAnswerTo('webhook_arrive')
    expect(await send(reference)).toMatchObject({ status: 200, body: { version: 2 } })
    expect(sent).toBe(1)
    expect(await events(reference)).toHaveLength(2)
    expect(await payments.metric('webhooks_total{outcome="applied"}')).toBe(applied + 1)
  })

  it('to a webhook’s conflict: it is counted once', async () => {
    const body = news(await newPayment(user), 'PENDING')
    await user.webhook(body)
    loseAnswerTo('webhook_conflict')
    expect((await user.webhook({ ...body, status: 'SUCCESS' })).status).toBe(422)
    const conflicts = await direct.sql(
      'SELECT times FROM webhook_conflicts WHERE webhook_id = $1',
      body.webhookId,
    )
    expect(conflicts).toEqual([{ times: 1 }])
  })

  it('to a read, which is just read again', async () => {
    const reference = await newPayment(user)
    loseAnswerTo('payment_find')
    expect((await user.get(reference)).status).toBe(200)
    loseAnswerTo('FROM "payments"')
    expect((await user.list()).status).toBe(200)
    loseAnswerTo('FROM "payment_events"')
    expect((await user.events(reference)).status).toBe(200)
    expect(sent).toBe(3)
  })

  it('to a refused transition with a key: it is refused once and kept once', async () => {
    const reference = await newPayment(user)
    const headers = key()
    loseAnswerTo('payment_transition')
    const answer = await user.move(reference, 'SUCCESS', headers)
    expect(answer.status).toBe(400)
    expect(answer.headers.get('idempotent-replayed')).toBeNull()
    const again = await user.move(reference, 'SUCCESS', headers)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([400, 'true'])
  })
})

describe('a lost connection, and someone else changes the payment meanwhile', () => {
  /** Cuts the wire while the statement waits for the payment's row, then lets the row go. */
  async function cutWhileWaiting(reference: string, moveTo?: string) {
    const release = await lockRow(direct, reference)
    const answer = user.move(reference, 'PENDING')
    await untilBlocked(direct, 1)
    proxy.cut()
    // The request is trying again by now, behind its own first try.
    await untilBlocked(direct, 2)
    await release(moveTo)
    return answer
  }

  it('the other’s change is not taken for one’s own: 400', async () => {
    const reference = await newPayment(user)
    const answer = await cutWhileWaiting(reference, 'PENDING')
    expect(answer.status).toBe(400)
    expect((await user.get(reference)).body.version).toBe(2)
  })

  it('one’s own, by the try whose connection was lost, is: 200', async () => {
    const reference = await newPayment(user)
    const answer = await cutWhileWaiting(reference)
    expect(answer).toMatchObject({ status: 200, body: { status: 'PENDING', version: 2 } })
    expect(await events(reference)).toHaveLength(2)
  })

  it('with a key, the try that is still running is waited for: 200, and no replay', async () => {
    const reference = await newPayment(user)
    const headers = key()
    const release = await lockRow(direct, reference)
    const answer = user.move(reference, 'PENDING', headers)
    await untilBlocked(direct, 1)
    proxy.cut()
    const second = await beside.move(reference, 'PENDING', headers)
    expect(second.status).toBe(409)
    await release()
    expect(await answer).toMatchObject({ status: 200, body: { version: 2 } })
    expect((await answer).headers.get('idempotent-replayed')).toBeNull()
    expect(await events(reference)).toHaveLength(2)
  })

  it('after one’s own: it is still one’s own success, as it was', async () => {
    const reference = await newPayment(user)
    statement = 'payment_transition'
    proxy.loseNextAnswer()
    const answer = user.move(reference, 'PENDING')
    await until(() => sent > 0)
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
