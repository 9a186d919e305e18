import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, type As, newPayment, webhookBody } from './requests.js'

let payments: Payments
let other: Payments
/** One user on two replicas. */
let users: [As, As]
beforeAll(async () => {
  payments = await startPayments()
  other = await payments.replica()
  const user = await newUser()
  users = [as(user, payments), as(user, other)]
})
afterAll(() => Promise.all([payments.close(), other.close()]))

/** Sends `count` concurrent requests, alternating between the replicas. */
function atOnce<T>(count: number, send: (user: As, n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => send(users[n % 2 === 0 ? 0 : 1], n)))
}

const having = <T extends { status: number }>(status: number, answers: T[]) =>
  answers.filter((answer) => answer.status === status)

/** The events of a payment, in order. */
async function history(reference: string) {
  const { body } = await users[0].events(reference)
  return body.data as { from: string | null; to: string; cause: string; webhookId: string | null }[]
}

describe('50 concurrent transitions of one payment', () => {
  it.each([
    ['PENDING', ['PENDING'], ['SUCCESS', 'FAILED']],
    ['INITIATED', [], ['PENDING', 'PENDING']],
  ])('from %s have one winner and one event', async (_, path, to) => {
    const reference = await newPayment(users[0], ...path)
    const answers = await atOnce(50, (user, n) =>
      user.move(reference, to[n % 3 === 0 ? 0 : 1] ?? ''),
    )
    const winners = having(200, answers)
    expect(winners).toHaveLength(1)
    expect(having(400, answers)).toHaveLength(49)
    const { body } = await users[1].get(reference)
    expect(body).toEqual(winners[0]?.body)
    expect(await history(reference)).toHaveLength(body.version as number)
    expect(body.version).toBe(path.length + 2)
  })

  it('with one ETag have one winner; the others return 412', async () => {
    const reference = await newPayment(users[0])
    const ifMatch = { 'if-match': '"1"' }
    const answers = await atOnce(50, (user) => user.move(reference, 'PENDING', ifMatch))
    expect(having(200, answers)).toHaveLength(1)
    expect(having(412, answers)).toHaveLength(49)
  })
})

describe('50 concurrent copies of one webhook', () => {
  it('return 200, and one is applied', async () => {
    const reference = await newPayment(users[0], 'PENDING')
    const body = webhookBody(reference, 'SUCCESS')
    const answers = await atOnce(50, (user) => user.webhook(body))
    expect(having(200, answers)).toHaveLength(50)
    for (const answer of answers)
      expect(answer.body).toMatchObject({ status: 'SUCCESS', version: 3 })
    expect(await history(reference)).toHaveLength(3)
    const stored = await payments.sql(
      'SELECT outcome FROM provider_messages WHERE webhook_id = $1',
      body.webhookId,
    )
    expect(stored).toEqual([{ outcome: 'applied' }])
    const line = 'webhooks_total{outcome="applied"}'
    expect((await payments.metric(line)) + (await other.metric(line))).toBe(1)
  })

  it('with two references change one payment; the copies for the other return 422', async () => {
    const references = [await newPayment(users[0]), await newPayment(users[0])] as const
    const webhookId = `evt-${randomUUID()}`
    const answers = await atOnce(50, (user, n) =>
      user.webhook(webhookBody(references[n % 3 === 0 ? 0 : 1], 'PENDING', { webhookId })),
    )
    expect(having(200, answers).length + having(422, answers).length).toBe(50)
    const moved = await Promise.all(references.map((one) => history(one)))
    expect(moved.map(({ length }) => length).sort((a, b) => a - b)).toEqual([1, 2])
    const winner = references[moved.findIndex(({ length }) => length === 2)]
    for (const { body } of having(200, answers)) expect(body.reference).toBe(winner)
  })
})

describe('concurrent requests with one idempotency key on two replicas', () => {
  it('create one payment: others return a replay or 409, and a replay after a retry', async () => {
    const key = { 'idempotency-key': randomUUID() }
    const metadata = { mark: randomUUID() }
    const answers = await atOnce(20, (user) => user.create({ metadata }, key))
    expect(having(201, answers).length + having(409, answers).length).toBe(20)
    const made = having(201, answers)
    expect(made.filter(({ headers }) => !headers.has('idempotent-replayed'))).toHaveLength(1)
    for (const answer of having(409, answers)) expect(answer.headers.has('retry-after')).toBe(true)
    const retried = await atOnce(20, (user) => user.create({ metadata }, key))
    for (const { status, body } of retried) expect([status, body]).toEqual([201, made[0]?.body])
    const rows = await payments.sql('SELECT id FROM payments WHERE metadata = $1', metadata)
    expect(rows).toHaveLength(1)
  })

  it('change a payment once', async () => {
    const reference = await newPayment(users[0])
    const key = { 'idempotency-key': randomUUID() }
    const answers = await atOnce(20, (user) => user.move(reference, 'PENDING', key))
    expect(having(200, answers).length + having(409, answers).length).toBe(20)
    const retried = await atOnce(20, (user) => user.move(reference, 'PENDING', key))
    for (const { status, body } of retried) {
      expect([status, body]).toEqual([200, having(200, answers)[0]?.body])
    }
    expect(await history(reference)).toHaveLength(2)
  })

  it('with different bodies return 422 or 409, never a second payment', async () => {
    const key = { 'idempotency-key': randomUUID() }
    const mark = randomUUID()
    const answers = await atOnce(20, (user, n) =>
      user.create({ metadata: { mark, n: String(n % 4) } }, key),
    )
    const ids = new Set(having(201, answers).map(({ body }) => body.id as string))
    expect(ids.size).toBe(1)
    const rows = await payments.sql(`SELECT id FROM payments WHERE metadata ->> 'mark' = $1`, mark)
    expect(rows).toHaveLength(1)
  })
})

describe('any interleaving of transitions, keys and webhooks', () => {
  const STATUSES = ['INITIATED', 'PENDING', 'SUCCESS', 'FAILED']
  const LIVES = ['PENDING SUCCESS', 'PENDING FAILED']
  const any = <T>(list: readonly T[]) => list[Math.floor(Math.random() * list.length)] as T

  it('leaves each payment with one event per version, and allowed transitions only', async () => {
    const references = await Promise.all(Array.from({ length: 6 }, () => newPayment(users[0])))
    const ids = Array.from({ length: 8 }, () => `evt-${randomUUID()}`)
    const keys = Array.from({ length: 8 }, () => ({ 'idempotency-key': randomUUID() }))
    const answers = await atOnce(300, async (user) => {
      const [reference, status] = [any(references), any(STATUSES)]
      if (Math.random() < 0.5) {
        const key = any([{}, any(keys)])
        return { kind: 'move', ...(await user.move(reference, status, key)) }
      }
      return {
        kind: 'webhook',
        ...(await user.webhook(webhookBody(reference, status, { webhookId: any(ids) }))),
      }
    })
    for (const { status } of answers) expect([200, 400, 409, 422]).toContain(status)
    const histories = await Promise.all(references.map((one) => history(one)))
    for (const [index, events] of histories.entries()) {
      const { body } = await users[1].get(references[index] ?? '')
      expect(events).toHaveLength(body.version as number)
      expect(events.at(-1)?.to).toBe(body.status)
      const life = events
        .slice(1)
        .map(({ to }) => to)
        .join(' ')
      expect(LIVES.some((whole) => whole.startsWith(life))).toBe(true)
      expect(events.slice(1).map(({ from }) => from)).toEqual(
        events.slice(0, -1).map(({ to }) => to),
      )
    }
    const won = having(200, answers).filter(
      ({ kind, headers }) => kind === 'move' && !headers.has('idempotent-replayed'),
    )
    const events = histories.flat()
    expect(won).toHaveLength(events.filter(({ cause }) => cause === 'status').length)
    const applied = events.flatMap(({ webhookId }) => webhookId ?? [])
    expect(new Set(applied).size).toBe(applied.length)
  })
})
