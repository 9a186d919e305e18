import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ProviderStage, startProviderStage } from './provider-stage.js'

/** Calls whose success or failure the database can't count for the circuit of their account. */

let stage: ProviderStage
beforeAll(async () => {
  stage = await startProviderStage()
  const { sql } = stage.payments
  await until(async () => (await sql('SELECT FROM provider_call_limits')).length === 6)
  // A call that succeeds resets the failures.
  await sql('UPDATE provider_call_limits SET failures = 1')
  await sql(`CREATE FUNCTION reject_record() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'no call is recorded'; END $$`)
  await sql(`CREATE TRIGGER record BEFORE UPDATE OF failures ON provider_call_limits
    FOR EACH ROW EXECUTE FUNCTION reject_record()`)
}, 60_000)
afterAll(() => stage.close())

it('the answers are stored all the same: no lease ends, and no further query is needed', async () => {
  const { body } = await stage.user.create({ provider: 'acme', customerPhone: '+256772900000' })
  await until(async () => (await stage.user.get(body.reference)).body.status === 'SUCCESS')
  const states = await stage.payments.sql(
    `SELECT to_state, cause FROM attempt_events JOIN payment_attempts ON id = attempt_id
     WHERE payment_id = $1 ORDER BY attempt_events.version LIMIT 2`,
    body.id,
  )
  expect(states).toEqual([
    { to_state: 'sending', cause: 'claim' },
    { to_state: 'accepted', cause: 'response' },
  ])
  expect(await stage.payments.metric('attempt_leases_total{result="failed"}')).toBe(0)
})
