import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '@malipo/testing/until'
import { type ProviderStage, startProviderStage } from './provider-stage.js'

/** The metrics from which alerts and the dashboard "Providers" are made. */

let stage: ProviderStage
const metric = (line: string) => stage.payments.metric(line)
beforeAll(async () => {
  stage = await startProviderStage()
  await until(async () => (await metric(info('mtn-ug', 'mtn-momo'))) === 1)
}, 60_000)
afterAll(() => stage.close())

const info = (account: string, adapter: string) =>
  `provider_account_info{account="${account}",adapter="${adapter}",state="active",callbacks="yes"}`
const series = async () => String((await stage.payments.client.get('/metrics')).body)

describe('an account', () => {
  it('has a series with its adapter, its state and whether callbacks are expected', async () => {
    expect(await metric(info('airtel-ug', 'airtel-money'))).toBe(1)
    expect(await metric(info('acme', 'standard'))).toBe(1)
  })

  it('has series of its payments before the first one ends', async () => {
    const text = await series()
    for (const line of [
      'attempts_concluded_total{account="airtel-ug",state="succeeded",cause="query"} 0',
      'attempts_concluded_total{account="airtel-ug",state="not_sent",cause="expiry"} 0',
      'payment_duration_seconds_count{status="FAILED",account="airtel-ug"} 0',
      'payment_duration_seconds_count{status="SUCCESS",account="manual"} 0',
    ]) {
      expect(text).toContain(line)
    }
  })
})

describe('a payment that its provider settles', () => {
  it('is counted by account with its duration and what settled it', async () => {
    const { reference } = (
      await stage.user.create({ provider: 'mtn-ug', customerPhone: '+256772900000' })
    ).body
    await until(async () => (await stage.user.get(reference)).body.status === 'SUCCESS')
    const duration = 'payment_duration_seconds_count{status="SUCCESS",account="mtn-ug"}'
    // The metrics are recorded after the commit that a client can read already.
    await until(async () => (await metric(duration)) === 1)
    // MTN signs no callback, so that a query settles the payment.
    const settled = 'attempts_concluded_total{account="mtn-ug",state="succeeded",cause="query"}'
    expect(await metric(settled)).toBe(1)
  })
})

describe('the circuit of an account', () => {
  const circuit = (call: string) => `provider_circuit_open{account="acme",call="${call}"}`

  it('is reported by every replica, as the database has it', async () => {
    await until(async () => (await series()).includes(`${circuit('query')} 0`))
    const failures = `UPDATE provider_call_limits SET failures = $1 WHERE account = 'acme' AND call = 'query'`
    await stage.payments.sql(failures, 5)
    await until(async () => (await metric(circuit('query'))) === 1)
    expect(await metric(circuit('send'))).toBe(0)
    await stage.payments.sql(failures, 0)
    await until(async () => (await series()).includes(`${circuit('query')} 0`))
  }, 90_000)
})
