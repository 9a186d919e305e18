import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Charge,
  type OperatorStage,
  problemOf,
  startOperatorStage,
} from './operators-stage.js'

/** Replays of stored callbacks: the verdict of their arrival decides, whatever is read today. */

let stage: OperatorStage
beforeAll(async () => {
  stage = await startOperatorStage('sandbox')
})
afterAll(() => stage.close())

const ACCOUNT = 'airtel-ug'

/** A callback of Airtel, without a hash: today, it is read as unsigned. */
function callback({ reference }: Pick<Charge, 'reference'>, own: object = {}) {
  const transaction = { id: reference, status_code: 'TS', airtel_money_id: v7(), ...own }
  return JSON.stringify({ transaction })
}

const chargeOfAirtel = (own: object = {}) =>
  stage.charge('in_doubt', { account: ACCOUNT, attention: 'vanished', ...own })

async function replay(message: string) {
  const answer = await stage.operators[0].replay(message)
  expect(answer.status).toBe(200)
  return answer.body as { result: string; message: { outcome: string; attempt: string | null } }
}

async function actionOf(message: string) {
  const { data } = (await stage.operators[0].actions('?action=replay&limit=100')).body
  return (data as { message: string }[]).filter((action) => action.message === message)
}

describe('a callback that was signed', () => {
  it('changes its attempt, as if it arrived now, and is recorded in the same transaction', async () => {
    const charge = await chargeOfAirtel()
    const { attemptId } = charge
    const message = await stage.message({ body: callback(charge), verdict: 'signed', attemptId })
    expect(await replay(message)).toMatchObject({
      result: 'applied',
      message: { outcome: 'applied', attempt: attemptId },
    })
    expect((await stage.operators[0].payment(charge.payment)).body).toMatchObject({
      status: 'SUCCESS',
      amountUnverified: true,
      needsAttention: false,
    })
    const [event] = (await stage.operators[0].get(attemptId)).body.events
    expect(event).toMatchObject({ cause: 'callback', actor: ACCOUNT, evidence: message })
    expect(await actionOf(message)).toMatchObject([
      {
        operator: stage.operators[0].id,
        attempt: attemptId,
        payment: charge.payment,
        details: { verdict: 'signed', reading: 'succeeded', result: 'applied' },
      },
    ])
    const [row] = await stage.payments.sql(
      `SELECT count(DISTINCT xmin::text) AS transactions FROM (
         SELECT xmin FROM operator_actions WHERE message_id = $1
         UNION ALL SELECT xmin FROM attempt_events WHERE message_id = $1) AS rows`,
      message,
    )
    expect(row).toEqual({ transactions: '1' })
  })

  it('is applied once', async () => {
    const charge = await chargeOfAirtel()
    const { attemptId } = charge
    const message = await stage.message({ body: callback(charge), verdict: 'signed', attemptId })
    const results = await Promise.all([1, 2, 3].map(() => replay(message)))
    expect(results.map(({ result }) => result).sort()).toEqual([
      'applied',
      'unchanged',
      'unchanged',
    ])
    expect((await stage.attempt(attemptId)).version).toBe(2)
    expect(await actionOf(message)).toHaveLength(3)
  })

  it('is a late success of a failed attempt', async () => {
    const charge = await stage.charge('declined', { account: ACCOUNT })
    const { attemptId } = charge
    const message = await stage.message({ body: callback(charge), verdict: 'signed', attemptId })
    expect((await replay(message)).result).toBe('late_success')
    const { body } = await stage.operators[0].payment(charge.payment)
    expect(body).toMatchObject({ status: 'FAILED', needsAttention: true })
  })

  it('and parked is assigned to the attempt that it names', async () => {
    const reading = { reference: v7() }
    const message = await stage.message({ body: callback(reading), verdict: 'signed', reading })
    expect(await replay(message)).toMatchObject({
      result: 'parked',
      message: { outcome: 'parked' },
    })
    const charge = await chargeOfAirtel()
    const known = await stage.message({ body: callback(charge), verdict: 'signed' })
    expect(await replay(known)).toMatchObject({
      result: 'applied',
      message: { outcome: 'applied', attempt: charge.attemptId },
    })
  })

  it('and parked stays without an attempt that has the same bytes already', async () => {
    const charge = await chargeOfAirtel()
    const body = callback(charge)
    await stage.message({ body, verdict: 'signed', attemptId: charge.attemptId })
    const message = await stage.message({ body, verdict: 'signed' })
    expect(await replay(message)).toMatchObject({
      result: 'applied',
      message: { outcome: 'applied', attempt: null },
    })
  })

  it('with the transaction id of another payment flags its attempt', async () => {
    const [one, two] = [await chargeOfAirtel(), await chargeOfAirtel()]
    const own = { airtel_money_id: v7() }
    for (const charge of [one, two]) {
      const { attemptId } = charge
      const body = callback(charge, own)
      await replay(await stage.message({ body, verdict: 'signed', attemptId }))
    }
    expect(await stage.attempt(one.attemptId)).toMatchObject({ state: 'succeeded' })
    expect(await stage.attempt(two.attemptId)).toMatchObject({
      state: 'in_doubt',
      attention: 'vanished',
    })
    const { body } = await stage.operators[0].messages(`?attempt=${two.attemptId}`)
    expect(body.data[0].outcome).toBe('duplicate_transaction')
  })

  it('and is not final makes a query due', async () => {
    const charge = await chargeOfAirtel()
    const { attemptId } = charge
    const body = callback(charge, { status_code: 'TIP' })
    expect((await replay(await stage.message({ body, verdict: 'signed', attemptId }))).result).toBe(
      'query',
    )
  })
})

describe('a callback that was unsigned', () => {
  it('changes no payment, and makes a query due', async () => {
    const charge = await chargeOfAirtel()
    const { attemptId } = charge
    const message = await stage.message({ body: callback(charge), attemptId })
    const before = (await stage.operators[0].payment(charge.payment)).body
    expect((await replay(message)).result).toBe('query')
    expect((await stage.operators[0].payment(charge.payment)).body).toEqual(before)
    expect(await stage.attempt(attemptId)).toMatchObject({ state: 'in_doubt', idle: false })
    expect(await actionOf(message)).toMatchObject([
      { attempt: attemptId, details: { result: 'query' } },
    ])
  })

  it('stays so, also if today’s key would verify it', async () => {
    const charge = await chargeOfAirtel()
    const { attemptId } = charge
    const [, raw = ''] = /"transaction":(.*)\}$/.exec(callback(charge)) ?? []
    const hash = createHmac('sha256', 'any key').update(raw).digest('base64')
    const body = `{"transaction":${raw},"hash":"${hash}"}`
    const message = await stage.message({ body, attemptId })
    expect((await replay(message)).result).toBe('query')
    expect((await stage.attempt(attemptId)).state).toBe('in_doubt')
  })

  it('and parked is assigned to its attempt', async () => {
    const charge = await chargeOfAirtel()
    const message = await stage.message({ body: callback(charge) })
    expect(await replay(message)).toMatchObject({
      result: 'query',
      message: { outcome: 'stored', attempt: charge.attemptId, payment: charge.payment },
    })
  })

  it('and arrived at the URL of an attempt is assigned to no other', async () => {
    const charge = await chargeOfAirtel()
    const reading = { attemptId: v7() }
    const message = await stage.message({ body: callback(charge), reading })
    expect((await replay(message)).result).toBe('parked')
  })

  it('is assigned to no attempt of another account', async () => {
    const charge = await stage.charge('in_doubt', { account: 'mtn-ug' })
    const message = await stage.message({ body: callback(charge) })
    expect((await replay(message)).result).toBe('parked')
  })

  it('makes the query of an ended attempt due, which has none scheduled', async () => {
    const charge = await stage.charge('declined', { account: ACCOUNT })
    const { attemptId } = charge
    const message = await stage.message({ body: callback(charge), attemptId })
    expect((await replay(message)).result).toBe('query')
    expect(await stage.attempt(attemptId)).toMatchObject({ state: 'declined', call: 'query' })
  })

  it('makes a query due of a queued attempt, which is not sent before', async () => {
    const charge = await stage.charge('queued', { account: ACCOUNT })
    const { attemptId } = charge
    const message = await stage.message({ body: callback(charge), attemptId })
    expect((await replay(message)).result).toBe('query')
    expect(await stage.attempt(attemptId)).toMatchObject({ call: 'query', idle: false })
  })

  it.each(['', '<html>', '{"transaction":', '[]', 'null', '{"transaction":{"id":1}}', '\0'])(
    'and can’t be read is a query: %j',
    async (body) => {
      const { attemptId } = await chargeOfAirtel()
      expect((await replay(await stage.message({ body, attemptId }))).result).toBe('query')
    },
  )
})

it('a callback whose signature was wrong does nothing, and is recorded', async () => {
  const charge = await chargeOfAirtel()
  const { attemptId } = charge
  const before = await stage.attempt(attemptId)
  for (const own of [{ attemptId }, {}]) {
    const message = await stage.message({ body: callback(charge), verdict: 'invalid', ...own })
    const { outcome } = (await stage.operators[0].message(message)).body
    expect(await replay(message)).toMatchObject({ result: 'ignored', message: { outcome } })
    expect(await actionOf(message)).toMatchObject([{ details: { result: 'ignored' } }])
  }
  expect(await stage.attempt(attemptId)).toEqual(before)
})

it('of arbitrary bytes never changes an attempt without a stored signature', async () => {
  const verdicts = ['unsigned', 'invalid'] as const
  const bytes = fc.oneof(fc.string({ unit: 'binary' }), fc.json())
  const property = fc.asyncProperty(bytes, fc.constantFrom(...verdicts), async (body, verdict) => {
    const { attemptId } = await chargeOfAirtel()
    const message = await stage.message({ body, verdict, attemptId })
    const { result } = await replay(message)
    expect(result).toBe(verdict === 'invalid' ? 'ignored' : 'query')
    expect(await stage.attempt(attemptId)).toMatchObject({
      state: 'in_doubt',
      attention: 'vanished',
    })
  })
  await fc.assert(property, { numRuns: 40 })
}, 60_000)

describe('a message', () => {
  it.each(['send', 'query'] as const)('of kind %s can’t be replayed', async (kind) => {
    const { attemptId } = await chargeOfAirtel()
    const own = { verdict: 'response', outcome: 'unchanged' } as const
    const message = await stage.message({ body: '{}', kind, attemptId, ...own })
    expect(problemOf(await stage.operators[0].replay(message))).toBe('409 message-not-replayable')
  })

  it('of an account that is not in use can’t be replayed', async () => {
    const message = await stage.message({ body: '{}', account: 'old-account' })
    expect(problemOf(await stage.operators[0].replay(message))).toBe('409 message-not-replayable')
  })

  it('that does not exist is 404', async () => {
    for (const id of [v7(), 'nothing', '%00']) {
      expect((await stage.operators[0].replay(id)).status).toBeGreaterThanOrEqual(400)
      expect((await stage.operators[0].message(id)).status).toBeGreaterThanOrEqual(400)
    }
    expect(problemOf(await stage.operators[0].replay(v7()))).toBe('404 message-not-found')
    expect(problemOf(await stage.operators[0].message('x'))).toBe('404 message-not-found')
  })

  it('is listed without its body, by each filter', async () => {
    const charge = await chargeOfAirtel()
    const { attemptId } = charge
    const ids = []
    for (let nth = 0; nth < 3; nth++) {
      ids.unshift(
        await stage.message({ body: callback(charge), attemptId, outcome: 'late_success' }),
      )
    }
    const of = async (query: string) =>
      (await stage.operators[0].messages(`?attempt=${attemptId}${query}`)).body
    const listed = (body: { data: { id: string }[] }) => body.data.map(({ id }) => id)
    expect(listed(await of(''))).toEqual(ids)
    expect(listed(await of(`&kind=callback&account=${ACCOUNT}&outcome=late_success`))).toEqual(ids)
    for (const other of ['&kind=query', '&account=mtn-ug', '&outcome=parked']) {
      expect(listed(await of(other))).toEqual([])
    }
    const page = await of('&limit=2')
    expect(listed(page)).toEqual(ids.slice(0, 2))
    const last = await of(`&limit=2&cursor=${page.nextCursor}`)
    expect(last).toMatchObject({ data: [{ id: ids[2] }], nextCursor: null })
    expect(JSON.stringify(page)).not.toContain('body')
  })

  it('is read with its body, which is recorded', async () => {
    const charge = await chargeOfAirtel()
    const body = callback(charge).repeat(3)
    const message = await stage.message({ body, attemptId: charge.attemptId })
    const answer = (await stage.operators[1].message(message)).body
    expect(Buffer.from(answer.body, 'base64').toString()).toBe(body)
    expect(answer).toMatchObject({
      verdict: 'unsigned',
      headers: { 'content-type': 'application/json' },
      size: body.length,
      attempt: charge.attemptId,
    })
    const { data } = (await stage.operators[0].actions(`?operator=${stage.operators[1].id}`)).body
    expect(data).toMatchObject([{ action: 'read_body', message, attempt: charge.attemptId }])
  })
})
