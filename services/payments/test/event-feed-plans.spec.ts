import type { Run } from '@malipo/kit/postgres/database'
import { freshDatabase } from '@malipo/testing/database'
import { Client, escapeLiteral } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findPlace, MAX_SCAN, readEvents } from '../src/event-feed/event-feed.store.js'
import type { Position } from '../src/event-feed/position.js'
import { migrate } from './payments.js'

/**
 * The plans of the feed with many events of many merchants. `PLAN_ROWS=1000000` runs them with a million, and prints the
 * time of each.
 */
// oxlint-disable-next-line node/no-process-env
const ROWS = Number(process.env.PLAN_ROWS ?? 20_000)

/** A half of all events belongs to one merchant, the oldest and the newest to two others, the rest to many. */
const OWNER = {
  large: '00000000-0000-7000-8000-00000000000a',
  oldest: '00000000-0000-7000-8000-00000000000b',
  newest: '00000000-0000-7000-8000-00000000000c',
  without: '00000000-0000-7000-8000-00000000000d',
} as const

/** The events of two months, 1000 in a transaction. The transaction ids have passed. */
const FILL = `
CREATE TEMPORARY TABLE made AS
SELECT nth, uuidv7() AS id, (1 + nth / 1000)::text::xid8 AS xid,
  now() - make_interval(secs => (:rows - nth) * 5184000.0 / :rows) AS at,
  CASE WHEN nth = 1 THEN '${OWNER.oldest}'::uuid WHEN nth = :rows THEN '${OWNER.newest}'::uuid
    WHEN nth % 2 = 0 THEN '${OWNER.large}'::uuid
    ELSE ('00000000-0000-7000-9000-' || lpad((nth % 1999)::text, 12, '0'))::uuid END AS owner
FROM generate_series(1, :rows) AS nth;
INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone,
  customer_email, metadata, status, created_at, updated_at, version)
SELECT id, owner, 5000, 'UGX', 'MOBILE_MONEY', '+256772123456', 'a@example.com', '{}', 'INITIATED', at,
  at, 1
FROM made;
INSERT INTO payment_events (payment_id, version, operation_id, to_status, at, actor, cause, xid, owner_id)
SELECT id, 1, gen_random_uuid(), 'INITIATED', at, 'x', 'create', xid, owner
FROM made;
`

let client: Client
beforeAll(async () => {
  const url = await freshDatabase('payments')
  await migrate(url)
  client = new Client({ connectionString: url })
  await client.connect()
  const fill = `SET session_replication_role = replica; ${FILL} RESET session_replication_role`
  await client.query(fill.replaceAll(':rows', String(ROWS)))
  // Transactions of other tests delay the feed, but all ids of these events have passed long ago.
  await client.query(`
    DO $$ BEGIN
      WHILE pg_current_xact_id() <= (SELECT max(xid) FROM payment_events) LOOP COMMIT; END LOOP;
    END $$`)
  await client.query('VACUUM ANALYZE payment_events, payments')
}, 600_000)
afterAll(() => client.end())

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

/** How many rows of tables a plan has read, with those that it dropped. */
function rowsRead(plan: Node): number {
  const scans = nodesOf(plan).filter((node) => node['Relation Name'] !== undefined)
  const rows = scans.map((node) => {
    const { 'Actual Rows': found, 'Actual Loops': loops, 'Rows Removed by Filter': dropped } = node
    return (found + (dropped ?? 0)) * loops
  })
  return rows.reduce((sum, count) => sum + count, 0)
}

interface Measured {
  rows: number
  ms: number
}

/** Executes each statement of the service after its plan was measured. */
function measuredRun(measured: Measured): Run {
  return async ({ name, text }, values) => {
    const literals = values.map((value) =>
      value === undefined || value === null ? 'NULL' : escapeLiteral(`${value as string | number}`),
    )
    await client.query(`PREPARE ${name} AS ${text}`)
    const call = `EXECUTE ${name} (${literals.join(', ')})`
    const { rows } = await client.query<{
      'QUERY PLAN': [{ Plan: Node; 'Execution Time': number }]
    }>(`EXPLAIN (ANALYZE, FORMAT JSON) ${call}`)
    const [plan] = rows[0]?.['QUERY PLAN'] ?? []
    if (!plan) throw new Error('there is no plan')
    measured.rows += rowsRead(plan.Plan)
    measured.ms += plan['Execution Time']
    const result = await client.query(call)
    await client.query(`DEALLOCATE ${name}`)
    return result.rows as never
  }
}

const DAY_MS = 86_400_000
const ago = (days: number): Position => ({ from: new Date(Date.now() - days * DAY_MS) })

/** At most 64 look-ups of two rows, the scanned events, and two look-ups for each event of the page. */
const most = (scan: number) => 130 + 3 * (scan + 1)

describe.each(['force_custom_plan', 'force_generic_plan'])(
  'with %s, a page reads few rows',
  (mode) => {
    beforeAll(() => client.query(`SET plan_cache_mode = ${mode}`))

    it.each([
      ['large', ago(90), undefined, 100],
      ['large', ago(30), undefined, 100],
      ['large', ago(30), 'payment.failed', 0],
      ['large', ago(0), undefined, 0],
      ['oldest', ago(90), undefined, 1],
      ['oldest', ago(30), undefined, 0],
      ['newest', ago(30), undefined, 1],
      ['newest', ago(30), 'payment.created', 1],
      ['without', ago(30), undefined, 0],
    ] as const)('of %s from %o of type %s', async (owner, position, type, expected) => {
      const measured = { rows: 0, ms: 0 }
      const run = measuredRun(measured)
      const place = await findPlace(run, OWNER[owner], position)
      if (!place) throw new Error('there is no place')
      const from = 'from' in position ? position.from : undefined
      const filter = { type, from, limit: 100 }
      const { events } = await readEvents(run, OWNER[owner], place, filter, MAX_SCAN + 1)
      if (ROWS > 100_000) {
        const time = `${measured.ms.toFixed(1).padStart(8)} ms`
        console.log(`${time} ${measured.rows} rows: ${owner}, ${type ?? 'all types'}`)
      }
      expect(events).toHaveLength(expected)
      expect(measured.rows).toBeLessThanOrEqual(most(MAX_SCAN + 1))
    })

    it('after an event', async () => {
      const { rows } = await client.query<{ id: string }>(
        `SELECT operation_id AS id FROM payment_events WHERE owner_id = $1
       ORDER BY xid DESC OFFSET 500 LIMIT 1`,
        [OWNER.large],
      )
      const measured = { rows: 0, ms: 0 }
      const run = measuredRun(measured)
      const place = await findPlace(run, OWNER.large, { after: rows[0]?.id ?? '' })
      if (!place) throw new Error('there is no place')
      const filter = { type: undefined, from: undefined, limit: 100 }
      const { events } = await readEvents(run, OWNER.large, place, filter, 101)
      if (ROWS > 100_000) console.log(`${measured.ms.toFixed(1)} ms ${measured.rows} rows`)
      expect(events).toHaveLength(100)
      expect(measured.rows).toBeLessThanOrEqual(most(101))
    })
  },
)
