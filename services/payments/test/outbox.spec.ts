import { randomUUID } from 'node:crypto'
import { query } from '@malipo/testing/database'
import { beforeEach, describe, expect, it } from 'vitest'
import { EVENT_TYPES, eventIdOf, uuidOfEvent } from '../src/notifications/events.js'
import { idOf } from '../src/payments/payment.view.js'
import { fromProvider, newPayment, webhookBody } from './requests.js'
import { withPayments } from './with-payments.js'

/** The notifications and deliveries that commit with the change of a payment. */

/** No replica delivers, so that the work stays as it is written. */
const { payments, owner, user } = await withPayments({ ROLES: 'api' })

interface Written {
  readonly type: string
  readonly version: number
  readonly endpoint: string | null
}

async function newEndpoint(events: string[], state = 'enabled', ownerId = owner.id) {
  const id = randomUUID()
  const insert = `
    INSERT INTO webhook_endpoints
      (id, owner_id, url, events, state, disabled_reason, created_at, updated_at, version)
    VALUES ($1, $2, 'https://merchant.example/hook', $3, $4, $5, now(), now(), 1)`
  const reason = state === 'disabled' ? 'merchant' : null
  await payments.sql(insert, id, ownerId, events, state, reason)
  return id
}

/** What was written for a payment, in order. */
async function written(reference: string): Promise<Written[]> {
  return payments.sql<Written>(
    `SELECT type, subject_version AS version, endpoint_id AS endpoint
     FROM notifications AS notification
     LEFT JOIN deliveries ON notification_id = notification.id
     WHERE subject_id = $1
     ORDER BY subject_version`,
    idOf(reference),
  )
}

beforeEach(async () => {
  await payments.sql(`UPDATE webhook_endpoints SET state = 'deleted', disabled_reason = NULL`)
})

describe('a change of a payment', () => {
  it('writes nothing for a merchant without endpoints', async () => {
    await newEndpoint(['*'], 'enabled', randomUUID())
    await newEndpoint(['*'], 'deleted')
    expect(await written(await newPayment(user, 'PENDING', 'SUCCESS'))).toEqual([])
  })

  it('writes one notification, and a delivery with work for each subscribed endpoint', async () => {
    const all = await newEndpoint(['*'])
    const ofPayments = await newEndpoint(['payment.*'])
    const successes = await newEndpoint(['payment.succeeded', 'payment.failed'])
    await newEndpoint(['webhook_endpoint.disabled'])
    await newEndpoint(['*'], 'disabled')
    const rows = await written(await newPayment(user, 'PENDING', 'SUCCESS'))
    const endpoints = (version: number) =>
      rows.filter((row) => row.version === version).map(({ endpoint }) => endpoint)
    expect(endpoints(2)).toHaveLength(2)
    expect(new Set(endpoints(2))).toEqual(new Set([all, ofPayments]))
    expect(endpoints(3)).toHaveLength(3)
    expect(new Set(endpoints(3))).toEqual(new Set([all, ofPayments, successes]))
    const types = rows.map(({ version, type }) => `${version} ${type}`)
    expect(new Set(types)).toEqual(new Set(['2 payment.pending', '3 payment.succeeded']))
    const [count] = await payments.sql(
      `SELECT count(*)::integer FROM delivery_work JOIN deliveries USING (endpoint_id)
       WHERE delivery_work.delivery_id = deliveries.id AND state = 'pending' AND due_at <= now()
         AND endpoint_id = ANY ($1)`,
      [all, ofPayments, successes],
    )
    expect(count).toEqual({ count: 5 })
  })

  it('writes the notification although all endpoints are disabled, for a later replay', async () => {
    await newEndpoint(['*'], 'disabled')
    expect(await written(await newPayment(user, 'PENDING'))).toEqual([
      { type: 'payment.pending', version: 2, endpoint: null },
    ])
  })

  it('writes for webhooks as well, with the operation of the event as id', async () => {
    const endpoint = await newEndpoint(['*'])
    const reference = await newPayment(user)
    expect((await fromProvider(payments, webhookBody(reference, 'PENDING'))).status).toBe(200)
    expect((await fromProvider(payments, webhookBody(reference, 'FAILED'))).status).toBe(200)
    expect(await written(reference)).toEqual([
      { type: 'payment.pending', version: 2, endpoint },
      { type: 'payment.failed', version: 3, endpoint },
    ])
    const ids = await payments.sql(
      `SELECT notification.id = operation_id AS same
       FROM notifications AS notification
       JOIN payment_events ON payment_id = subject_id AND version = subject_version
       WHERE subject_id = $1`,
      idOf(reference),
    )
    expect(ids).toEqual([{ same: true }, { same: true }])
  })

  it('writes each change of a batch once', async () => {
    const endpoint = await newEndpoint(['*'])
    const references = await Promise.all(Array.from({ length: 40 }, () => newPayment(user)))
    await Promise.all(references.map((reference) => user.move(reference, 'PENDING')))
    for (const reference of references) {
      expect(await written(reference)).toEqual([{ type: 'payment.pending', version: 2, endpoint }])
    }
  })

  it('writes nothing that is rolled back', async () => {
    await newEndpoint(['*'])
    const reference = await newPayment(user, 'PENDING', 'FAILED')
    const before = await written(reference)
    expect((await user.move(reference, 'SUCCESS')).status).toBe(400)
    expect(await written(reference)).toEqual(before)
  })
})

describe('the previous release', () => {
  const insertEvent = (reference: string) => `
    WITH changed AS (
      UPDATE payments SET status = 'PENDING', version = 2 WHERE id = '${idOf(reference)}' RETURNING *
    )
    INSERT INTO payment_events
      (payment_id, version, operation_id, from_status, to_status, at, actor, cause)
    SELECT id, 2, gen_random_uuid(), 'INITIATED', status, now(), 'previous', 'status' FROM changed`

  it('writes notifications too, although it does not know the owner of an event', async () => {
    const endpoint = await newEndpoint(['*'])
    const reference = await newPayment(user)
    await payments.sql(insertEvent(reference))
    expect(await written(reference)).toEqual([{ type: 'payment.pending', version: 2, endpoint }])
    const owners = 'SELECT DISTINCT owner_id FROM payment_events WHERE payment_id = $1'
    expect(await payments.sql(owners, idOf(reference))).toEqual([{ owner_id: owner.id }])
  })

  it('writes them without rights on the tables of notifications', async () => {
    const endpoint = await newEndpoint(['*'])
    const reference = await newPayment(user)
    const role = `previous_${randomUUID().slice(0, 8)}`
    await payments.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'role'`)
    await payments.sql(`GRANT SELECT, INSERT, UPDATE ON payments, payment_events TO ${role}`)
    const url = new URL(payments.databaseUrl)
    url.username = role
    url.password = 'role'
    await query(url.href, insertEvent(reference))
    await payments.sql(`DROP OWNED BY ${role}`)
    await payments.sql(`DROP ROLE ${role}`)
    expect(await written(reference)).toEqual([{ type: 'payment.pending', version: 2, endpoint }])
  })
})

describe('an event', () => {
  it('gets its owner once, and never changes otherwise', async () => {
    const reference = await newPayment(user)
    const change = (set: string) =>
      payments.sql(`UPDATE payment_events SET ${set} WHERE payment_id = $1`, idOf(reference))
    await expect(change('owner_id = gen_random_uuid()')).rejects.toThrow(/is not allowed/)
    await expect(change('owner_id = NULL')).rejects.toThrow(/is not allowed/)
  })

  it('has a name that the service knows', async () => {
    const states = ['INITIATED', 'PENDING', 'SUCCESS', 'FAILED']
    const rows = await payments.sql<{ type: string }>(
      `SELECT DISTINCT payment_event_type(from_status, to_status, late_success, at) AS type
       FROM unnest($1::text[] || NULL::text) AS from_status, unnest($1::text[]) AS to_status,
         (VALUES (NULL::jsonb), ('{"at": "2026-01-31T12:00:00.123+00:00"}')) AS late (late_success),
         (VALUES ('2026-01-31T12:00:00.123Z'::timestamptz(3)), (now())) AS times (at)
       WHERE to_status <> 'INITIATED' OR from_status IS NULL OR from_status = 'INITIATED'`,
      states,
    )
    const types = rows.map(({ type }) => type)
    const known = Object.keys(EVENT_TYPES).filter((name) => name.startsWith('payment.'))
    expect(new Set(types)).toEqual(new Set(known))
  })

  it('has an id from which its UUID can be read', () => {
    const id = randomUUID()
    expect(eventIdOf(id)).toMatch(/^evt_[\da-f]{32}$/)
    expect(uuidOfEvent(eventIdOf(id))).toBe(id)
    expect(uuidOfEvent(id)).toBeUndefined()
  })
})
