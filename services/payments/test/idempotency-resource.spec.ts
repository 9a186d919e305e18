import { randomUUID } from 'node:crypto'
import { Problem } from '@malipo/kit/http/problem'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { freshDatabase, query } from '@malipo/testing/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Outcome, replay } from '../src/idempotency/idempotency.js'
import {
  claimKeys,
  KEY_COLUMNS,
  keyConflicts,
  keyValues,
  TRY_LOCK_KEY,
} from '../src/idempotency/key-claim.js'
import { readKey } from '../src/idempotency/key.js'
import { listening, migrate } from './payments.js'
import { until } from '@malipo/testing/until'

/** Idempotency for a resource other than payments: vouchers, which exist only in this file. */

interface Voucher {
  readonly version: number
  readonly balance: number
}

const INSUFFICIENT = { type: 'insufficient-balance', status: 409, title: 'Insufficient balance' }

const REDEEM: Statement = {
  name: 'voucher_redeem',
  text: `
WITH input AS MATERIALIZED (
  SELECT *
  FROM json_to_recordset($1) AS input (nth integer, id uuid, amount integer, ${KEY_COLUMNS})
  WHERE ${TRY_LOCK_KEY}
), decision AS MATERIALIZED (
  SELECT
    input.*,
    version,
    balance,
    CASE WHEN balance >= amount THEN 200 ELSE 409 END AS response_status
  FROM input
  CROSS JOIN LATERAL (
    SELECT version, balance FROM vouchers WHERE id = input.id ORDER BY version DESC LIMIT 1
  ) AS latest
), claimed AS (${claimKeys({
    from: 'decision',
    responseStatus: 'response_status',
    resourceType: 'voucher',
    resourceId: 'id',
    resourceVersion: 'CASE response_status WHEN 200 THEN version + 1 ELSE version END',
    createdAt: 'now()',
  })}
), redeemed AS (
  INSERT INTO vouchers (id, version, balance)
  SELECT id, version + 1, balance - amount
  FROM decision
  WHERE response_status = 200 AND operation_id IN (SELECT operation_id FROM claimed)
  RETURNING id, version, balance
)
SELECT nth, redeemed.version, redeemed.balance
FROM decision
JOIN claimed USING (operation_id)
LEFT JOIN redeemed USING (id)`,
  batched: { conflictKeys: keyConflicts },
}

const insufficient = (voucher: Voucher | undefined) =>
  new Problem(INSUFFICIENT, `The balance is ${voucher?.balance}.`)

const caller = randomUUID()
let url: string
let database: Database
let app: Awaited<ReturnType<typeof listening>>
beforeAll(async () => {
  url = await freshDatabase('vouchers')
  await migrate(url)
  await query(
    url,
    'CREATE TABLE vouchers (id uuid, version integer, balance integer, PRIMARY KEY (id, version))',
  )
  app = await listening({ DATABASE_URL: url })
  database = app.get(Database)
  await until(() => database.isOpen)
})
afterAll(() => app.close())

async function newVoucher(balance: number): Promise<string> {
  const id = randomUUID()
  await query(url, 'INSERT INTO vouchers VALUES ($1, 1, $2)', [id, balance])
  return id
}

async function find(id: string, version: number): Promise<Voucher | undefined> {
  const text = 'SELECT version, balance FROM vouchers WHERE id = $1 AND version = $2'
  return (await query<Voucher>(url, text, [id, version]))[0]
}

/** Redeems a voucher as a service would: with one statement, and a replay if the key is taken. */
function redeem(id: string, amount: number, header: string): Promise<Outcome<Voucher>> {
  const operationId = randomUUID()
  const key = readKey(header, 'POST /vouchers/redeem', { id, amount })
  if (!key) throw new Error('no key')
  const values = { id, amount, caller, operation_id: operationId, ...keyValues(key) }
  return database.write<Outcome<Voucher>>(async (run, retried) => {
    const [row] = await run<{ version: number | null; balance: number }>(REDEEM, [values])
    if (row?.version) {
      return { resource: { version: row.version, balance: row.balance }, replayed: false }
    }
    return replay<Voucher>(run, { caller, key, operationId, retried }, async (stored) => {
      const voucher = await find(stored.resourceId, stored.resourceVersion)
      return stored.status === 200 && voucher ? voucher : insufficient(voucher)
    })
  })
}

const problemOf = (outcome: Outcome<Voucher>) =>
  'problem' in outcome ? outcome.problem : undefined

it('replays the resource at the version of the first response', async () => {
  const id = await newVoucher(10)
  const key = randomUUID()
  const first = await redeem(id, 3, key)
  expect(first).toEqual({ resource: { version: 2, balance: 7 }, replayed: false })
  await redeem(id, 5, randomUUID())
  expect(await redeem(id, 3, key)).toEqual({ ...first, replayed: true })
  expect(await find(id, 3)).toEqual({ version: 3, balance: 2 })
  expect(await find(id, 4)).toBeUndefined()
})

it('replays a rejection that the resource stores, with its own status', async () => {
  const id = await newVoucher(1)
  const key = randomUUID()
  const first = await redeem(id, 2, key)
  await query(url, 'INSERT INTO vouchers VALUES ($1, 2, 100)', [id])
  const second = await redeem(id, 2, key)
  expect(first.replayed).toBe(false)
  expect(second.replayed).toBe(true)
  for (const outcome of [first, second]) {
    expect(problemOf(outcome)).toMatchObject({ kind: INSUFFICIENT, detail: 'The balance is 1.' })
  }
  expect(problemOf(second)?.extras.headers).toEqual({ 'idempotent-replayed': 'true' })
})

it('rejects a key that was used for another request', async () => {
  const id = await newVoucher(10)
  const key = randomUUID()
  await redeem(id, 1, key)
  expect(problemOf(await redeem(id, 2, key))?.kind.status).toBe(422)
  expect(await find(id, 3)).toBeUndefined()
})

it('applies concurrent requests with one key once', async () => {
  const id = await newVoucher(10)
  const key = randomUUID()
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => redeem(id, 4, key)))
  const resources = outcomes.flatMap((one) => ('resource' in one ? [one.resource] : []))
  const problems = outcomes.flatMap((one) => problemOf(one) ?? [])
  for (const resource of resources) expect(resource).toEqual({ version: 2, balance: 6 })
  for (const problem of problems) expect(problem.kind.status).toBe(409)
  expect(outcomes.filter((one) => 'resource' in one && !one.replayed)).toHaveLength(1)
  expect(await find(id, 3)).toBeUndefined()
})

it('names the resource in the stored row', async () => {
  const id = await newVoucher(1)
  await redeem(id, 1, 'row')
  const text = `SELECT resource_type, resource_id, resource_version, response_status
    FROM idempotency_keys WHERE key = 'row'`
  expect(await query(url, text)).toEqual([
    { resource_type: 'voucher', resource_id: id, resource_version: 2, response_status: 200 },
  ])
})
