import { freshDatabase } from '@malipo/testing/database'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readDeliveryCounts } from '../src/deliveries/delivery-counts.store.js'
import { migrate } from './payments.js'

/**
 * The plans of the counts of deliveries. One delivery is pending for 20 that have ended, one of 40 endpoints is disabled, and one
 * of 200 fails.
 * `PLAN_ROWS=1000000` runs them with a million finished deliveries, and prints the time of each.
 */
// oxlint-disable-next-line node/no-process-env
const ROWS = Number(process.env.PLAN_ROWS ?? 20_000)

const FILL = `
SET session_replication_role = replica;
CREATE TEMPORARY TABLE made AS
SELECT nth, gen_random_uuid() AS id FROM generate_series(1, 20000) AS nth;
INSERT INTO webhook_endpoints (id, owner_id, url, events, state, disabled_reason, created_at, updated_at, version)
SELECT id, gen_random_uuid(), 'https://merchant.example/hook/' || repeat('x', 200), '{*}',
  CASE WHEN nth % 40 = 7 THEN 'disabled' WHEN nth % 2 = 0 THEN 'deleted' ELSE 'enabled' END,
  CASE WHEN nth % 80 = 7 THEN 'gone' WHEN nth % 40 = 7 THEN 'failing' END, now(), now(), 1
FROM made;
INSERT INTO webhook_endpoint_health (endpoint_id, failures, failing_since)
SELECT id, nth % 7, CASE WHEN nth % 400 IN (7, 9) THEN now() END FROM made;
INSERT INTO deliveries (id, notification_id, endpoint_id, state, tries, created_at)
SELECT uuidv7(), gen_random_uuid(), made.id, 'delivered', 1, now()
FROM generate_series(1, :rows) AS delivery
JOIN made ON made.nth = delivery % 20000 + 1;
INSERT INTO delivery_work (delivery_id, endpoint_id, due_at)
SELECT gen_random_uuid(), made.id, now() + make_interval(secs => delivery % 600 - 300)
FROM generate_series(1, :rows / 20) AS delivery
JOIN made ON made.nth = delivery % 1000 * 2 + 1;
RESET session_replication_role;
ANALYZE;
`

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly Plans?: readonly Node[]
}

function nodesOf(node: Node): readonly Node[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

let client: Client
beforeAll(async () => {
  const url = await freshDatabase('payments')
  await migrate(url)
  client = new Client({ connectionString: url })
  await client.connect()
  await client.query(FILL.replaceAll(':rows', String(ROWS)))
}, 600_000)
afterAll(() => client.end())

/** The relations that a statement reads, and those that it scans as a whole. */
async function relationsOf(name: string, text: string) {
  const { rows } = await client.query(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${text}`)
  const [plan] = rows[0]['QUERY PLAN'] as [{ Plan: Node; 'Execution Time': number }]
  const nodes = nodesOf(plan.Plan)
  const scans = nodes.filter((node) => node['Node Type'] === 'Seq Scan')
  const named = (some: readonly Node[]) => some.flatMap((node) => node['Relation Name'] ?? [])
  const relations = { read: named(nodes), scanned: named(scans) }
  const took = `${plan['Execution Time'].toFixed(1).padStart(8)} ms`
  if (ROWS > 100_000) console.log(`${took} ${name}, scanned: ${relations.scanned.join(', ')}`)
  return relations
}

const LARGE = ['deliveries', 'delivery_tries', 'notifications']
/** The rows of the health of endpoints are narrow, so that one scan may cost less than many probes. */
const SCANNED: Readonly<Record<string, readonly string[]>> = {
  deliveries_pending_count: ['delivery_work', 'webhook_endpoint_health'],
  deliveries_oldest_due: ['webhook_endpoint_health'],
  endpoints_count: [],
  endpoints_failing_count: [],
}

it('the counts of metrics read no delivery, and scan small tables only', async () => {
  const relations: Record<string, Awaited<ReturnType<typeof relationsOf>>> = {}
  // The first run finds a cold cache.
  const runs = ROWS > 100_000 ? 5 : 1
  await readDeliveryCounts(async ({ name, text }) => {
    for (let nth = 1; nth < runs; nth++) await relationsOf(name, text)
    relations[name] = await relationsOf(name, text)
    return []
  })
  expect(Object.keys(relations)).toEqual(Object.keys(SCANNED))
  const faults = Object.entries(relations).flatMap(([name, { read, scanned }]) => [
    ...read.filter((relation) => LARGE.includes(relation)).map((each) => `${name} reads ${each}`),
    ...scanned
      .filter((relation) => !SCANNED[name]?.includes(relation))
      .map((each) => `${name} scans ${each}`),
  ])
  expect(faults).toEqual([])
})
