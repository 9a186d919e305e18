import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '@malipo/testing/until'
import { type ProviderStage, startProviderStage } from './provider-stage.js'

/** Payments that callbacks settle: the first query is due much later. */

let stage: ProviderStage
beforeAll(async () => {
  stage = await startProviderStage({ PROVIDER_TIME_SCALE: '1' })
}, 60_000)
afterAll(() => stage.close())

async function charged(provider: string, customerPhone: string) {
  const created = await stage.user.create({ provider, customerPhone })
  expect(created.status).toBe(201)
  let body = created.body
  await until(async () => {
    body = (await stage.user.get(created.body.reference)).body
    return ['SUCCESS', 'FAILED'].includes(body.status)
  })
  const age = Date.parse(body.updatedAt) - Date.parse(body.createdAt)
  expect(age).toBeLessThan(9_000)
  return body
}

async function messagesOf(id: string) {
  return stage.payments.sql<{ kind: string; verdict: string; outcome: string; times: number }>(
    `SELECT kind, verdict, outcome, times FROM provider_messages WHERE payment_id = $1 ORDER BY id`,
    id,
  )
}

describe.each([
  ['mtn-ug', '+2567729000', 'unsigned'],
  ['airtel-ug', '+2567529000', 'signed'],
])('a callback of %s', (provider, phone, verdict) => {
  it('settles the payment, and is evidence', async () => {
    const { id, status } = await charged(provider, `${phone}00`)
    expect(status).toBe('SUCCESS')
    const messages = await messagesOf(id)
    expect(messages).toContainEqual(expect.objectContaining({ kind: 'callback', verdict }))
  })

  it('R4: that arrives before the answer to the request settles the payment', async () => {
    expect((await charged(provider, `${phone}07`)).status).toBe('SUCCESS')
  })

  it('R5: that arrives twice settles the payment once', async () => {
    const { id, status, version } = await charged(provider, `${phone}06`)
    expect({ status, version }).toEqual({ status: 'SUCCESS', version: 3 })
    await until(async () => {
      const callbacks = (await messagesOf(id)).filter(({ kind }) => kind === 'callback')
      return callbacks.length === 1 && callbacks[0]?.times === 2
    })
  })
})

it('a signed callback without a reason leaves the failure to the query, which knows it', async () => {
  const payment = await charged('airtel-ug', '+256752900001')
  expect(payment).toMatchObject({ status: 'FAILED', failure: { code: 'payer_rejected' } })
})

describe('a webhook of the account acme', () => {
  it('settles the payment', async () => {
    const payment = await charged('acme', '+256772900000')
    expect(payment).toMatchObject({ status: 'SUCCESS', lastWebhookId: expect.any(String) })
  })
})

it('a callback without a signature changes nothing by itself: the query decides', async () => {
  const created = await stage.user.create({ provider: 'mtn-ug', customerPhone: '+256772900001' })
  const { reference, id } = created.body
  await until(async () => (await stage.user.get(reference)).body.status === 'FAILED')
  const events = await stage.payments.sql(
    `SELECT cause FROM attempt_events JOIN payment_attempts ON id = attempt_id
      WHERE payment_id = $1 AND to_state = 'declined'`,
    id,
  )
  expect(events).toEqual([{ cause: 'query' }])
})
