import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { freshDatabase } from '@malipo/testing/database'
import { DataSource, type SelectQueryBuilder } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAttemptCounts } from '../src/attempts/attempt-counts.store.js'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { selectAttempts } from '../src/operators/attempts.list.js'
import { selectMessages } from '../src/operators/messages.list.js'
import { environment, migrate } from './payments.js'

/**
 * The plans of operators' lists with many finished attempts. `PLAN_ROWS=1000000` runs them with a million, and prints
 * the time of each.
 */
// oxlint-disable-next-line node/no-process-env
const ROWS = Number(process.env.PLAN_ROWS ?? 20_000)

let source: DataSource
beforeAll(async () => {
  const url = await freshDatabase('payments')
  await migrate(url)
  const env = readEnv(environment({ DATABASE_URL: url }))
  source = await new DataSource(dataSourceOptions(env, dataSource)).initialize()
  const text = `SET session_replication_role = replica; SET statement_timeout = 0; ${FILL}`
  await source.query(text.replaceAll(':rows', String(ROWS)))
}, 600_000)
afterAll(() => source.destroy())

/** One in 1000 attempts is open, one in 5000 flagged; `old-account` has the oldest attempts only. */
const FILL = `
CREATE TEMPORARY TABLE made AS
SELECT nth, overlay(uuidv7(make_interval(secs => nth - :rows))::text placing '7' from 15)::uuid AS id,
  uuidv7(make_interval(secs => nth - :rows)) AS payment_id,
  CASE WHEN nth < 100 THEN 'old-account' ELSE 'mtn-ug' END AS account,
  CASE WHEN nth % 1000 = 7 THEN 'accepted' WHEN nth % 5 = 0 THEN 'declined'
    WHEN nth % 5000 = 1 THEN 'not_sent' ELSE 'succeeded' END AS state
FROM generate_series(1, :rows) AS nth;
INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email,
  metadata, status, account, created_at, updated_at, version)
SELECT payment_id, gen_random_uuid(), 5000, 'UGX', 'MOBILE_MONEY', '+256772123456', 'a@example.com', '{}',
  'SUCCESS', account, now(), now(), 3
FROM made;
INSERT INTO payment_attempts (id, payment_id, account, reference, state, failure, send_until, closed_at, attention,
  attention_at, created_at, updated_at, version)
SELECT id, payment_id, account, id, state,
  CASE WHEN state IN ('declined', 'not_sent') THEN 'not_sent' END, now(),
  CASE WHEN state <> 'accepted' THEN now() END,
  CASE WHEN nth % 5000 = 2 THEN 'deadline' END, CASE WHEN nth % 5000 = 2 THEN now() END, now(), now(), 3
FROM made;
INSERT INTO attempt_work (attempt_id, account, owner_id, call, due_at)
SELECT id, account, gen_random_uuid(), 'query', now() + interval '1 hour' FROM made WHERE state = 'accepted';
INSERT INTO provider_messages (id, source, kind, verdict, headers, body, body_hash, outcome, attempt_id, payment_id,
  received_at, last_at, last_operation_id)
SELECT uuidv7(make_interval(secs => nth - :rows)), 'provider:' || account,
  CASE WHEN nth % 1000 = 5 THEN 'callback' ELSE kind END, 'response', '{}', '{}', sha256((nth || kind)::bytea),
  CASE WHEN nth % 5000 = 3 THEN 'parked' WHEN nth % 5000 = 4 THEN 'late_success' ELSE 'applied' END, id,
  payment_id, now(), now(), gen_random_uuid()
FROM made, unnest(ARRAY['send', 'query']) AS kind;
INSERT INTO operator_actions (id, at, operator, action, attempt_id, details)
SELECT uuidv7(make_interval(secs => nth - :rows)), now(),
  CASE WHEN nth < 100 THEN '00000000-0000-7000-8000-000000000001'::uuid ELSE payment_id END, 'query', id, '{}'
FROM made WHERE nth % 10 = 1;
RESET session_replication_role;
RESET statement_timeout;
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

const LARGE = ['payment_attempts', 'payments', 'provider_messages', 'operator_actions']

/** Executes a query, and fails if it scans or sorts a large table. */
async function assertPlan(text: string, values: readonly unknown[], name: string): Promise<void> {
  const explain = `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`
  const [row] = await source.query<{ 'QUERY PLAN': [{ Plan: Node; 'Execution Time': number }] }[]>(
    explain,
    [...values],
  )
  const [plan] = row?.['QUERY PLAN'] ?? []
  if (!plan) throw new Error('there is no plan')
  const scans = nodesOf(plan.Plan).filter(
    ({ 'Node Type': type, 'Relation Name': relation = '' }) =>
      type === 'Seq Scan' && LARGE.includes(relation),
  )
  if (ROWS > 100_000) console.log(`${plan['Execution Time'].toFixed(1).padStart(8)} ms ${name}`)
  expect(scans).toEqual([])
}

const explain = (select: SelectQueryBuilder<never>, name: string) => {
  const [text, values] = select.getQueryAndParameters()
  return assertPlan(text, values, name)
}

const MAX_ID = 'ffffffff-ffff-7fff-bfff-ffffffffffff'

describe('a list of attempts scans an index', () => {
  it.each([
    {},
    { after: MAX_ID },
    { attention: true },
    { attention: true, account: 'mtn-ug', state: 'succeeded' },
    { attention: false },
    { account: 'mtn-ug' },
    { account: 'old-account' },
    { account: 'no-account' },
    { state: 'succeeded' },
    { state: 'declined' },
    { state: 'not_sent' },
    { state: 'accepted' },
    { state: 'queued' },
    { state: 'not_sent', account: 'old-account' },
    { paymentId: MAX_ID },
  ] as const)('with %o', async (filter) => {
    const select = selectAttempts(source.manager, { ...filter, limit: 100 })
    await explain(select as never, `attempts ${JSON.stringify(filter)}`)
  })
})

describe('a list of messages scans an index', () => {
  it.each([
    {},
    { outcome: 'parked' },
    { outcome: 'late_success' },
    { outcome: 'amount_mismatch' },
    { outcome: 'applied' },
    { outcome: 'superseded' },
    { kind: 'callback' },
    { kind: 'webhook' },
    { kind: 'send' },
    { account: 'mtn-ug' },
    { account: 'old-account' },
    { account: 'no-account', kind: 'callback' },
    { outcome: 'parked', kind: 'callback', account: 'old-account' },
    { attempt: MAX_ID, after: MAX_ID },
  ] as const)('with %o', async (filter) => {
    const select = selectMessages(source.manager, { ...filter, limit: 100 })
    await explain(select as never, `messages ${JSON.stringify(filter)}`)
  })
})

describe('a list of operators’ actions scans an index', () => {
  it.each([
    ['operator = $1', '00000000-0000-7000-8000-000000000001'],
    ['attempt_id = $1', MAX_ID],
    ['id < $1', MAX_ID],
  ])('with %s', async (condition, value) => {
    const text = `SELECT * FROM operator_actions WHERE ${condition} ORDER BY id DESC LIMIT 51`
    await assertPlan(text, [value], `actions ${condition}`)
  })
})

it('the counts of metrics scan an index', async () => {
  await readAttemptCounts(async (statement) => {
    await assertPlan(statement.text, [], statement.name)
    return []
  })
})
