import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findUnsendable } from '../src/attempts/attempt.store.js'
import { storeAccounts } from '../src/providers/accounts.store.js'
import {
  ACCOUNT,
  type AttemptsDatabase,
  createAttempt,
  newAttemptsDatabase,
} from './attempts-database.js'
import { runOn } from './payments-database.js'
import { MTN_UGANDA } from './provider-account.js'

/** Attempts that end without having been sent. */

const OTHER = 'mtn-ug-2'

let database: AttemptsDatabase
beforeEach(async () => {
  database = await newAttemptsDatabase()
})
afterEach(() => database.close())

const sql = async (text: string) => (await database.client.query(text)).rows

const found = (accounts: readonly string[], draining: readonly string[], limit = 64) =>
  findUnsendable(database.run, accounts, draining, limit)

const late = () => createAttempt(database.run, { sendSeconds: -1 })

describe('attempts that can’t be sent', () => {
  it('are those whose time has passed', async () => {
    await createAttempt(database.run)
    const { attemptId } = await late()
    expect(await found([ACCOUNT], [])).toEqual([{ attemptId, account: ACCOUNT }])
  })

  it('are all of a draining account, and none of an account that is not named', async () => {
    await createAttempt(database.run)
    await late()
    expect(await found([ACCOUNT], [ACCOUNT])).toHaveLength(2)
    expect(await found([OTHER], [OTHER])).toEqual([])
  })

  it('are at most as many as the limit, over all accounts', async () => {
    await storeAccounts(runOn(database.client), [{ ...MTN_UGANDA, name: OTHER }])
    for (let nth = 0; nth < 4; nth++) await late()
    await sql(`UPDATE attempt_work SET account = '${OTHER}' WHERE attempt_id IN
      (SELECT attempt_id FROM attempt_work LIMIT 2)`)
    expect(await found([ACCOUNT, OTHER], [], 3)).toHaveLength(3)
    expect(await found([ACCOUNT, OTHER], [], 9)).toHaveLength(4)
  })
})

it('are found in an index: the time does not depend on the number of attempts to be sent', async () => {
  await sql(`
    INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email,
                          metadata, status, created_at, updated_at, version, account)
    SELECT gen_random_uuid(), gen_random_uuid(), 5000, 'UGX', 'MOBILE_MONEY', '+256772123456', 'a@example.com',
           '{}', 'INITIATED', now(), now(), 1, '${ACCOUNT}' FROM generate_series(1, 20000)`)
  await sql(`
    INSERT INTO payment_attempts (id, payment_id, account, reference, state, send_until, created_at, updated_at, version)
    SELECT id, id, '${ACCOUNT}', id::text, 'queued', now() + interval '1 minute', now(), now(), 1 FROM payments`)
  await sql(`
    INSERT INTO attempt_work (attempt_id, account, owner_id, call, due_at, send_until)
    SELECT id, account, payment_id, 'send', now(), send_until FROM payment_attempts`)
  await late()
  await sql('ANALYZE')
  const plans: string[] = []
  const explain: AttemptsDatabase['run'] = async ({ text }, values) => {
    const explained = `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`
    const { rows } = await database.client.query(explained, [...values])
    plans.push(JSON.stringify(rows[0]['QUERY PLAN']))
    return []
  }
  for (const draining of [[], [ACCOUNT]]) {
    await findUnsendable(explain, [ACCOUNT], draining, 64)
  }
  for (const plan of plans) {
    expect(plan).not.toContain('Seq Scan')
    expect(Number(/"Shared Hit Blocks":(\d+)/.exec(plan)?.[1])).toBeLessThan(150)
  }
})
