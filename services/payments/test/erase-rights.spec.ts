import { randomUUID } from 'node:crypto'
import { query } from '@malipo/testing/database'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { erase, insertNotification, insertTexts, newPayer, type Payer } from './erasures.js'
import {
  type Charge,
  type OperatorStage,
  problemOf,
  startOperatorStage,
} from './operators-stage.js'
import { databaseWithRole } from './role-database.js'

/** The one change that triggers allow to the owner of the tables; attempts that are open; what operators see. */

const { ownerUrl, serviceUrl, dropRole } = await databaseWithRole()

let stage: OperatorStage
beforeAll(async () => {
  stage = await startOperatorStage('sandbox', { DATABASE_URL: serviceUrl }, ownerUrl)
})
afterAll(async () => {
  await stage.close()
  await dropRole()
})

const sql = <Row extends object>(text: string, ...values: unknown[]) =>
  query<Row>(ownerUrl, text, values)

/** A charge of a new payer in a state, with a callback and rows in all tables that triggers protect. */
async function charge(
  state: 'succeeded' | 'declined' | 'in_doubt' | 'queued',
): Promise<Charge & Payer> {
  const payer = newPayer()
  const created = await stage.charge(state, { account: 'airtel-ug' })
  await sql('ALTER TABLE payments DISABLE TRIGGER USER')
  await sql(
    'UPDATE payments SET customer_phone = $2, customer_email = $3 WHERE id = $1',
    created.paymentId,
    payer.phone,
    payer.email,
  )
  await sql('ALTER TABLE payments ENABLE TRIGGER USER')
  await stage.message({ body: `{"msisdn":"${payer.national}"}`, attemptId: created.attemptId })
  await insertNotification({ sql }, created.paymentId, payer)
  await insertTexts({ sql }, created.paymentId, payer)
  return { ...created, ...payer }
}

/** Executes a statement with `malipo.erasure` set, and rolls it back. */
async function runErasing(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`BEGIN; SET LOCAL malipo.erasure = 'on'`)
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** TRUNCATE locks many tables, and so may deadlock with the service, which then continues. */
async function whileErasing(url: string, statement: string): Promise<void> {
  for (;;) {
    try {
      return await runErasing(url, statement)
    } catch (error) {
      if ((error as { code?: string }).code !== '40P01') throw error
    }
  }
}

/** A temporary table is found before those of `pg_catalog`, unless their names are qualified. */
const PRETENDED_OWNER = `
  CREATE TEMPORARY TABLE pg_class AS
  SELECT oid, (SELECT oid FROM pg_roles WHERE rolname = current_user) AS relowner FROM pg_catalog.pg_class;`

const ERASED = {
  payments: `UPDATE payments SET customer_phone = '+999000000000001',
    customer_email = '00000000000000000000000000000000@erased.invalid'`,
  message: `UPDATE provider_messages SET erased_at = now(), headers = '{}',
    body = '{"erased":true}', body_hash = sha256('x')`,
}

describe('the triggers', () => {
  beforeAll(async () => {
    await charge('succeeded')
    await charge('declined')
  })

  const ALLOWED = [
    ERASED.payments,
    `${ERASED.payments}, description = 'erased', metadata = '{"erased": "true"}'`,
    ERASED.message,
    `UPDATE payment_events SET reason = 'erased'`,
    `UPDATE attempt_events SET reason = 'erased'`,
    `UPDATE operator_actions SET reason = 'erased', evidence = 'erased'`,
    `UPDATE attempt_proposals SET reason = 'erased', evidence = 'erased'`,
    'UPDATE notifications SET body = NULL',
  ]

  it.each(ALLOWED)('allow the owner that erases: %s', async (statement) => {
    await whileErasing(ownerUrl, statement)
  })

  it.each(ALLOWED)('reject without the setting: %s', async (statement) => {
    await expect(sql(statement)).rejects.toMatchObject({ code: '23000' })
  })

  it.each(ALLOWED)('reject the service’s role, also with the privilege: %s', async (statement) => {
    await expect(whileErasing(serviceUrl, statement)).rejects.toMatchObject({ code: /23000|42501/ })
    const other = `eraser_${randomUUID().slice(0, 8)}`
    await sql(`CREATE ROLE ${other}; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${other}`)
    try {
      for (const pretended of ['', PRETENDED_OWNER]) {
        const asOther = `SET LOCAL ROLE ${other}; ${pretended} ${statement}`
        await expect(whileErasing(ownerUrl, asOther)).rejects.toMatchObject({ code: '23000' })
      }
    } finally {
      await sql(`DROP OWNED BY ${other}; DROP ROLE ${other}`)
    }
  })

  it.each([
    `UPDATE payments SET customer_phone = '+256772123456'`,
    `UPDATE payments SET customer_email = 'a@example.com'`,
    `${ERASED.payments}, amount_minor = 1`,
    `${ERASED.payments}, currency = 'USD'`,
    `${ERASED.payments}, status = 'PENDING'`,
    `${ERASED.payments}, updated_at = now() + interval '1 day'`,
    `${ERASED.payments}, created_at = now() + interval '1 day'`,
    `${ERASED.payments}, version = version + 1`,
    `${ERASED.payments}, owner_id = id`,
    `${ERASED.payments}, provider_transaction_id = 'x'`,
    `${ERASED.payments}, late_success = '{}'`,
    `${ERASED.payments}, description = 'x'`,
    `${ERASED.payments}, metadata = '{"a": "b"}'`,
    'DELETE FROM payments',
    'TRUNCATE payments CASCADE',
    `UPDATE payment_events SET reason = 'erased', to_status = 'SUCCESS'`,
    `UPDATE payment_events SET reason = 'erased', at = at + interval '1 day'`,
    `UPDATE payment_events SET xid = '1'`,
    'DELETE FROM payment_events',
    `${ERASED.message}, outcome = 'applied', times = 2, received_at = now() + interval '1 day'`,
    `${ERASED.message}, verdict = 'signed'`,
    `${ERASED.message}, reading = '{"status": "SUCCESS"}'`,
    `${ERASED.message}, source = 'provider:x'`,
    `${ERASED.message}, http_status = 200`,
    `UPDATE provider_messages SET erased_at = now(), body = 'other', body_hash = sha256('x')`,
    `UPDATE provider_messages SET erased_at = now(), body = '{"erased":true}', body_hash = 'x'`,
    `UPDATE provider_messages SET erased_at = now(), body = '{"erased":true}', headers = '{"a": "b"}'`,
    `UPDATE provider_messages SET body = '{"erased":true}'`,
    'DELETE FROM provider_messages',
    `UPDATE attempt_events SET reason = 'erased', to_state = 'succeeded'`,
    'UPDATE attempt_events SET at = now()',
    'DELETE FROM attempt_events',
    `UPDATE operator_actions SET reason = 'erased', operator = gen_random_uuid()`,
    `UPDATE operator_actions SET details = '{"a": 1}'`,
    'DELETE FROM operator_actions',
    `UPDATE attempt_proposals SET reason = 'erased', outcome = 'succeeded'`,
    'UPDATE attempt_proposals SET ended_at = now()',
    `UPDATE notifications SET body = '{}'`,
    `UPDATE notifications SET body = NULL, type = 'payment.failed'`,
    `UPDATE erasures SET phone = NULL`,
    'DELETE FROM erasures',
    'TRUNCATE erasures',
    `UPDATE payment_attempts SET state = 'queued', closed_at = NULL, failure = NULL`,
  ])('reject also from the owner that erases: %s', async (statement) => {
    await sql(`INSERT INTO erasures (id, phone, key_id, changes)
               VALUES (gen_random_uuid(), '+999000000000001', 'x', '{}')`)
    await expect(whileErasing(ownerUrl, statement)).rejects.toMatchObject({ code: '23000' })
  })

  it('reject the change of a column that is added later', async () => {
    for (const [table, allowed] of [
      ['payments', ERASED.payments],
      ['provider_messages', ERASED.message],
      ['operator_actions', `UPDATE operator_actions SET reason = 'erased'`],
      ['attempt_proposals', `UPDATE attempt_proposals SET reason = 'erased'`],
      ['payment_events', `UPDATE payment_events SET reason = 'erased'`],
    ] as const) {
      await sql(`ALTER TABLE ${table} ADD COLUMN later text`)
      try {
        const more = whileErasing(ownerUrl, `${allowed}, later = 'x'`)
        await expect(more).rejects.toMatchObject({ code: '23000' })
        await whileErasing(ownerUrl, allowed)
      } finally {
        await sql(`ALTER TABLE ${table} DROP COLUMN later`)
      }
    }
  })

  it('let a message be erased only once', async () => {
    await expect(
      whileErasing(ownerUrl, `${ERASED.message}; ${ERASED.message.replace("'x'", "'y'")}`),
    ).rejects.toMatchObject({ constraint: 'provider_messages_immutable' })
  })
})

describe('the command', () => {
  it.each(['queued', 'in_doubt'] as const)('is refused while an attempt is %s', async (state) => {
    const { phone, paymentId } = await charge(state)
    const { code, lines, err } = await erase(ownerUrl, ['--phone', phone, '--apply'])
    expect([code, lines]).toEqual([1, []])
    expect(err).toMatch(/^erase: 1 payments are open at a provider: repeat the command when/)
    const stored = await sql(
      'SELECT customer_phone AS phone FROM payments WHERE id = $1',
      paymentId,
    )
    expect(stored).toEqual([{ phone }])
  })

  it('is refused while the provider of a failed payment is still queried', async () => {
    const { phone, attemptId } = await charge('declined')
    await sql(
      `INSERT INTO attempt_work (attempt_id, account, owner_id, call, due_at)
       VALUES ($1, 'airtel-ug', $1, 'query', 'infinity')`,
      attemptId,
    )
    expect((await erase(ownerUrl, ['--phone', phone, '--apply'])).code).toBe(1)
    await sql('DELETE FROM attempt_work WHERE attempt_id = $1', attemptId)
    expect((await erase(ownerUrl, ['--phone', phone, '--apply'])).code).toBe(0)
  })

  it('fails with the service’s role, and changes nothing', async () => {
    const { phone, paymentId } = await charge('succeeded')
    const { code, err } = await erase(serviceUrl, ['--phone', phone, '--apply'])
    expect([code, err]).toEqual([1, expect.stringMatching(/^erase: permission denied/)])
    const stored = await sql(
      'SELECT customer_phone AS phone FROM payments WHERE id = $1',
      paymentId,
    )
    expect(stored).toEqual([{ phone }])
  })

  it('leaves the service able to query an erased payment, and no callback to replay', async () => {
    const { phone, attemptId } = await charge('declined')
    expect((await erase(ownerUrl, ['--phone', phone, '--apply'])).code).toBe(0)
    const [operator] = stage.operators
    expect((await operator.query(attemptId)).status).toBe(202)
    const { body } = await operator.messages(`?attempt=${attemptId}`)
    const [message] = body.data as { id: string; erasedAt: string }[]
    expect(message?.erasedAt).toMatch(/^\d{4}-.*Z$/)
    const content = await operator.message(message?.id ?? '')
    expect(Buffer.from(content.body.body as string, 'base64').toString()).toBe('{"erased":true}')
    expect(problemOf(await operator.replay(message?.id ?? ''))).toBe('409 message-not-replayable')
    const read = await operator.get(attemptId)
    expect([read.status, JSON.stringify(read.body)]).toEqual([
      200,
      expect.not.stringContaining(phone),
    ])
  })
})

it('after a rollback, the service changes payments with the privileges of release 0.1.0', async () => {
  const other = `service_${randomUUID().slice(0, 8)}`
  await sql(
    `CREATE ROLE ${other}; GRANT SELECT, INSERT, UPDATE ON payments TO ${other};
     GRANT SELECT, INSERT ON payment_events TO ${other};
     GRANT SELECT, INSERT, UPDATE (times, last_at, last_operation_id) ON provider_messages TO ${other}`,
  )
  const { paymentId } = await charge('succeeded')
  const as = (statement: string) => whileErasing(ownerUrl, `SET LOCAL ROLE ${other}; ${statement}`)
  try {
    await as(`UPDATE provider_messages SET times = times + 1`)
    const terminal = as(`UPDATE payments SET status = 'FAILED' WHERE id = '${paymentId}'`)
    await expect(terminal).rejects.toMatchObject({ constraint: 'payments_attempt' })
    const changed = as(`UPDATE payments SET amount_minor = 1 WHERE id = '${paymentId}'`)
    await expect(changed).rejects.toMatchObject({ constraint: 'payments_terminal' })
  } finally {
    await sql(`DROP OWNED BY ${other}; DROP ROLE ${other}`)
  }
})
