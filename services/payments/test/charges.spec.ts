import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '@malipo/testing/until'
import { ACME_SECRET, type ProviderStage, startProviderStage } from './provider-stage.js'
import { fromProvider, webhookBody } from './requests.js'

/** Payments that finish by themselves, at the providers of the simulator. */

let stage: ProviderStage
beforeAll(async () => {
  stage = await startProviderStage()
}, 60_000)
afterAll(() => stage.close())

/** The payment when its status is final. */
async function charged(provider: string, phone: string) {
  const created = await stage.user.create({ provider, customerPhone: phone })
  expect(created).toMatchObject({ status: 201, body: { status: 'INITIATED', provider } })
  let body = created.body
  await until(async () => {
    body = (await stage.user.get(created.body.reference)).body
    return ['SUCCESS', 'FAILED'].includes(body.status)
  })
  return body
}

describe.each([
  ['mtn-ug', 'mtn-momo', '+2567729000'],
  ['airtel-ug', 'airtel-money', '+2567529000'],
  ['acme', 'standard', '+2567729000'],
])('a payment with %s', (provider, adapter, phone) => {
  it('succeeds when the payer approves', async () => {
    const payment = await charged(provider, `${phone}00`)
    expect(payment).toMatchObject({
      status: 'SUCCESS',
      failure: null,
      needsAttention: false,
      amountUnverified: provider === 'airtel-ug',
      providerName: adapter,
      providerTransactionId: expect.any(String),
    })
  })

  it('fails with a reason when the payer rejects it', async () => {
    const payment = await charged(provider, `${phone}01`)
    expect(payment).toMatchObject({ status: 'FAILED', failure: { code: 'payer_rejected' } })
  })

  it('R1: succeeds by queries when the callback is lost', async () => {
    expect(await charged(provider, `${phone}05`)).toMatchObject({ status: 'SUCCESS' })
  })

  it('succeeds when the request is answered with 500, though it is paid', async () => {
    expect(await charged(provider, `${phone}10`)).toMatchObject({ status: 'SUCCESS' })
  })

  it('has events of each step, by the account', async () => {
    const { reference } = await charged(provider, `${phone}00`)
    const events = (await stage.user.events(reference)).body.data
    expect(events).toMatchObject([
      { from: null, to: 'INITIATED', cause: 'create' },
      { from: 'INITIATED', to: 'PENDING', cause: 'attempt', actor: provider },
      { from: 'PENDING', to: 'SUCCESS', cause: 'attempt', actor: provider },
    ])
    expect(events[2].evidence).toMatch(/^[\da-f-]{36}$/)
  })
})

it('R19: a failure that a webhook reports is queried for a late success, after the scaled time', async () => {
  const { body } = await stage.user.create({ provider: 'acme', customerPhone: '+256772900019' })
  const failure = { code: 'payer_timeout' }
  await until(async () => (await stage.user.get(body.reference)).body.status === 'PENDING')
  const webhook = webhookBody(body.reference, 'FAILED', { failure })
  expect(await fromProvider(stage.payments, webhook, { secret: ACME_SECRET })).toMatchObject({
    body: { status: 'FAILED', failure },
  })
  const due = await stage.payments.sql(
    `SELECT due_at < now() + interval '10 seconds' AS "isSoon" FROM attempt_work
      JOIN payment_attempts ON id = attempt_id WHERE payment_id = $1`,
    body.id,
  )
  expect(due).toEqual([{ isSoon: true }])
})
