import type { Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { freshDatabase } from '@malipo/testing/database'
import { DataSource, type QueryRunner, type SelectQueryBuilder } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { selectDeliveries } from '../src/delivery-log/deliveries.list.js'
import { findDelivery } from '../src/delivery-log/delivery-detail.store.js'
import { selectNotifications } from '../src/delivery-log/notifications.list.js'
import { replayNotifications } from '../src/delivery-log/replay.store.js'
import { resendDelivery } from '../src/delivery-log/resend.store.js'
import { readEnv } from '../src/env.js'
import { environment, migrate } from './payments.js'

/**
 * The plans of merchants' lists and requests with many deliveries. `PLAN_ROWS=1000000` runs them with a million, and
 * prints the time of each.
 */
// oxlint-disable-next-line node/no-process-env
const ROWS = Number(process.env.PLAN_ROWS ?? 20_000)

const OWNER = '00000000-0000-7000-8000-000000000001'
const ENDPOINT = '00000000-0000-7000-8000-000000000002'

let source: DataSource
/** All statements use one connection. */
let runner: QueryRunner
beforeAll(async () => {
  const url = await freshDatabase('payments')
  await migrate(url)
  const env = readEnv(environment({ DATABASE_URL: url }))
  source = await new DataSource(dataSourceOptions(env, dataSource)).initialize()
  const text = `SET session_replication_role = replica; SET statement_timeout = 0; ${FILL}`
  runner = source.createQueryRunner()
  await runner.query(text.replaceAll(':rows', String(ROWS)))
}, 600_000)
afterAll(async () => {
  await runner.release()
  await source.destroy()
})

/** Nine of ten belong to one merchant. One in 1000 is pending; failures and rare events are among the oldest only. */
const FILL = `
INSERT INTO webhook_endpoints (id, owner_id, url, events, state, created_at, updated_at, version)
VALUES ('${ENDPOINT}', '${OWNER}', 'https://merchant.example/', '{*}', 'enabled', now(), now(), 1);
CREATE TEMPORARY TABLE made AS
SELECT nth, gen_random_uuid() AS id, uuidv7(make_interval(secs => nth - :rows)) AS delivery_id,
  CASE WHEN nth % 10 = 0 THEN uuidv7() ELSE '${OWNER}' END AS owner_id,
  CASE WHEN nth % 10 = 0 THEN uuidv7() ELSE '${ENDPOINT}' END AS endpoint_id,
  now() + make_interval(secs => nth - :rows) AS at,
  CASE WHEN nth < 100 THEN 'failed' WHEN nth % 1000 = 7 THEN 'pending' ELSE 'delivered' END AS state
FROM generate_series(1, :rows) AS nth;
INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
SELECT id, owner_id,
  CASE WHEN nth < 100 THEN 'payment.late_success' WHEN nth % 2 = 0 THEN 'payment.pending'
    ELSE 'payment.succeeded' END,
  uuidv7(), 2, '{}', at
FROM made;
INSERT INTO deliveries (id, notification_id, endpoint_id, state, tries, created_at, failed_at)
SELECT delivery_id, id, endpoint_id, state, 1, at, CASE WHEN state = 'failed' THEN at END
FROM made;
INSERT INTO delivery_tries (delivery_id, nth, operation_id, at, took_ms, status)
SELECT delivery_id, 1, gen_random_uuid(), at, 10, 200 FROM made;
INSERT INTO delivery_work (delivery_id, endpoint_id, due_at)
SELECT delivery_id, endpoint_id, now() + interval '1 hour' FROM made WHERE state = 'pending';
RESET session_replication_role;
RESET statement_timeout;
ANALYZE;
`

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly Node[]
}

function nodesOf(node: Node): readonly Node[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

const LARGE = ['notifications', 'deliveries', 'delivery_tries']

/** Executes a statement, and fails if it scans a large table, or reads more rows of one than `most`. */
async function assertPlan(
  text: string,
  values: readonly unknown[],
  { name, most }: { name: string; most: number },
): Promise<void> {
  const explain = `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`
  const [row] = (await runner.query(explain, [...values])) as {
    'QUERY PLAN': [{ Plan: Node; 'Execution Time': number }]
  }[]
  const [plan] = row?.['QUERY PLAN'] ?? []
  if (!plan) throw new Error('there is no plan')
  if (ROWS > 100_000) console.log(`${plan['Execution Time'].toFixed(1).padStart(8)} ms ${name}`)
  const wrong = nodesOf(plan.Plan).filter((node) => {
    if (!LARGE.includes(node['Relation Name'] ?? '')) return false
    const read = node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)
    const rows = read * node['Actual Loops']
    return node['Node Type'] === 'Seq Scan' || rows > most
  })
  expect(wrong).toEqual([])
}

const MAX_ID = 'ffffffff-ffff-7fff-bfff-ffffffffffff'
const explain = (select: SelectQueryBuilder<never>, name: string) => {
  const [text, values] = select.getQueryAndParameters()
  return assertPlan(text, values, { name, most: 1_000 })
}

describe('a list of deliveries reads few rows', () => {
  it.each([
    {},
    { after: MAX_ID },
    { state: 'delivered' },
    { state: 'failed' },
    { state: 'cancelled' },
    { state: 'pending' },
    { state: 'failed', after: MAX_ID },
  ] as const)('with %o', async (filter) => {
    const all = { state: undefined, after: undefined, ...filter }
    const select = selectDeliveries(source.manager, { ...all, endpointId: ENDPOINT, limit: 100 })
    await explain(select as never, `deliveries ${JSON.stringify(filter)}`)
  })
})

describe('a list of notifications reads few rows', () => {
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000)
  it.each([
    {},
    { after: 'newest' },
    { after: 'oldest' },
    { type: 'payment.succeeded' },
    { type: 'payment.late_success' },
    { type: 'ping' },
    { paymentId: MAX_ID },
    { createdTo: ago(ROWS / 2) },
    { createdFrom: ago(ROWS / 2), createdTo: ago(ROWS / 2 - 50) },
    { type: 'payment.late_success', createdFrom: ago(ROWS / 2), after: 'newest' },
  ] as const)('with %o', async (filter) => {
    const none = { type: undefined, paymentId: undefined, after: undefined }
    const times = { createdFrom: undefined, createdTo: undefined }
    const given = { ...none, ...times, ...filter }
    const after = given.after && (await placeAt(given.after))
    const request = { ...given, after, ownerId: OWNER, limit: 100 }
    await explain(selectNotifications(source.manager, request) as never, JSON.stringify(filter))
  })

  async function placeAt(place: 'newest' | 'oldest') {
    const order = place === 'newest' ? 'DESC' : 'ASC'
    const text = `
      SELECT id, ${isoTime('created_at')} AS "createdAt" FROM notifications
      WHERE owner_id = $1 ORDER BY created_at ${order} LIMIT 1`
    const [row] = await source.query<{ id: string; createdAt: string }[]>(text, [OWNER])
    return row
  }
})

describe('a request reads few rows', () => {
  /** Explains each statement that `work` runs, and rolls back. */
  async function explained(
    most: number,
    work: (run: (statement: Statement, values: readonly unknown[]) => Promise<never[]>) => unknown,
  ) {
    await work(async ({ name, text }, values) => {
      await runner.query('BEGIN')
      await assertPlan(text, values, { name, most }).finally(() => runner.query('ROLLBACK'))
      return []
    })
  }

  it('to get or to resend a delivery', async () => {
    const [row] = await source.query<{ id: string }[]>(
      'SELECT id FROM deliveries WHERE endpoint_id = $1 LIMIT 1',
      [ENDPOINT],
    )
    const id = row?.id as string
    await explained(1, (run) => findDelivery(run, id, OWNER))
    const resend = { deliveryId: id, ownerId: OWNER, operationId: MAX_ID }
    await explained(1, (run) => resendDelivery(run, resend))
  })

  it('to replay a range in which all is delivered', async () => {
    const range = { from: new Date(0).toISOString(), to: '2031-01-01T00:00:00Z' }
    const of = { endpointId: ENDPOINT, ownerId: OWNER, operationId: MAX_ID }
    const types = ['payment.pending']
    const replay = { ...of, ...range, types, delivered: false }
    await explained(ROWS, (run) => replayNotifications(run, replay, false))
    const again = { ...replay, delivered: true, types: undefined }
    await explained(ROWS, (run) => replayNotifications(run, again, false))
  })

  it.each([false, true])('to replay a short range, with delivered %s', async (delivered) => {
    const replay = {
      endpointId: ENDPOINT,
      ownerId: OWNER,
      operationId: MAX_ID,
      from: new Date(Date.now() - 1_000_000).toISOString(),
      to: new Date(Date.now() - 999_000).toISOString(),
      types: undefined,
      delivered,
    }
    await explained(1_000, (run) => replayNotifications(run, replay, false))
    await explained(1_000, (run) => replayNotifications(run, replay, true))
  })
})
