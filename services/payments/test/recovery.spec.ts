import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '@malipo/testing/until'
import { expect, it, onTestFinished } from 'vitest'
import { newUser } from './auth.js'
import { environment, startPayments } from './payments.js'
import { startProviderStage } from './provider-stage.js'
import { as } from './requests.js'

/** After a restore, nothing is sent again that may have been sent since. */

const SCRIPT = join(import.meta.dirname, '../dist/cli/recover.js')

async function recover(databaseUrl: string, ...args: string[]): Promise<string> {
  const env = environment({ DATABASE_URL: databaseUrl })
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, ...args], { env })
  return stdout
}

it('attempts of before the restore are queried and not sent, and only then later ones are', async () => {
  // Payments are created while no provider is called, as in the database of the time of the backup.
  const stage = await startProviderStage({ RECOVERY_ID: 'restore-1' })
  onTestFinished(() => stage.close())
  const { payments, user } = stage
  const create = async () => {
    const answer = await user.create({ provider: 'acme', customerPhone: '+256772900000' })
    return answer.body as { id: string; reference: string }
  }
  const queued = await create()
  const sending = await create()
  await payments.sql(
    `UPDATE payment_attempts SET state = 'sending', sent_at = now() WHERE payment_id = $1`,
    sending.id,
  )
  const since = new Date().toISOString()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const later = await create()
  // Even without a recovery, an attempt does not expire meanwhile.
  await payments.sql(
    `UPDATE attempt_work SET send_until = now() - interval '1 second'
     WHERE attempt_id = (SELECT id FROM payment_attempts WHERE payment_id = $1)`,
    queued.id,
  )
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect((await user.get(queued.reference)).body.status).toBe('INITIATED')
  expect(await stage.charges()).toEqual([])

  expect(await recover(payments.databaseUrl, '--since', since)).toContain('2 attempts are in doubt')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect((await user.get(queued.reference)).body.status).toBe('PENDING')
  expect((await user.get(later.reference)).body.status).toBe('INITIATED')
  const again = await recover(payments.databaseUrl, '--since', since, '--id', 'restore-1')
  expect(again).toContain('0 attempts')

  await until(async () => (await user.get(later.reference)).body.status === 'SUCCESS')
  await until(async () => (await user.get(queued.reference)).body.needsAttention === true)
  await until(async () => (await user.get(sending.reference)).body.needsAttention === true)
  expect((await stage.charges()).map(({ reference }) => reference)).toEqual([later.reference])
  const causes = await payments.sql(
    `SELECT DISTINCT cause FROM attempt_events JOIN payment_attempts ON id = attempt_id
      WHERE to_state = 'in_doubt' AND from_state <> to_state AND payment_id = ANY ($1)`,
    [queued.id, sending.id],
  )
  expect(causes).toEqual([{ cause: 'recovery' }])
}, 60_000)

it('without RECOVERY_ID, calls begin at once', async () => {
  const payments = await startPayments()
  onTestFinished(() => payments.close())
  const user = as(await newUser(), payments)
  expect((await user.create()).status).toBe(201)
  const out = await recover(payments.databaseUrl, '--since', '2026-01-01T00:00:00Z')
  expect(out).toContain('0 attempts')
})
