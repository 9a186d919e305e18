import type { Run, Statement } from '@malipo/kit/postgres/database'
import { CIRCUIT_FAILURES } from './limits.js'
import { ENDPOINTS_WITH_WORK } from './work.statement.js'

/** Reads the current numbers of deliveries and of webhook endpoints, for metrics. Limits bound the cost. */
const MAX_PENDING = 100_000
const MAX_ENDPOINTS = 10_000

/** A lease that has expired is due again; the lease of a try under way ends in the future. */
const IS_UNDER_WAY = 'lease_id IS NOT NULL AND due_at > now()'

/*
 * The work of each endpoint is counted before endpoints are read, so that their number is that of endpoints with work.
 * The work of deleted endpoints is cancelled within a minute.
 */
const PENDING: Statement = {
  name: 'deliveries_pending_count',
  text: `
    WITH work AS MATERIALIZED (
      SELECT
        endpoint_id,
        count(*) FILTER (WHERE ${IS_UNDER_WAY}) AS under_way,
        count(*) FILTER (WHERE due_at <= now()) AS due,
        count(*) FILTER (WHERE lease_id IS NULL AND due_at > now()) AS later
      FROM (SELECT endpoint_id, due_at, lease_id FROM delivery_work LIMIT ${MAX_PENDING}) AS found
      GROUP BY endpoint_id
    ), pending AS (
      SELECT
        CASE
          WHEN endpoint.state <> 'enabled' THEN 'disabled'
          WHEN health.failures >= ${CIRCUIT_FAILURES} THEN 'paused'
        END AS obstacle,
        under_way, due, later
      FROM work
      JOIN webhook_endpoints AS endpoint ON endpoint.id = work.endpoint_id
      JOIN webhook_endpoint_health AS health ON health.endpoint_id = work.endpoint_id
      WHERE endpoint.state <> 'deleted'
    )
    SELECT state, sum(count)::integer AS count
    FROM pending
    CROSS JOIN LATERAL (
      VALUES
        (coalesce(obstacle, 'due'), due),
        (CASE obstacle WHEN 'disabled' THEN 'disabled' ELSE 'scheduled' END, later),
        ('under_way', under_way)
    ) AS split (state, count)
    GROUP BY 1`,
}

/* The deliveries of an endpoint whose circuit is open wait for it and not for the service. */
const OLDEST_DUE: Statement = {
  name: 'deliveries_oldest_due',
  text: `
    WITH RECURSIVE head AS (${ENDPOINTS_WITH_WORK}
    ), busy AS MATERIALIZED (
      SELECT DISTINCT endpoint_id FROM delivery_work WHERE ${IS_UNDER_WAY}
    ), due AS (
      SELECT
        CASE WHEN busy.endpoint_id IS NULL THEN 'idle' ELSE 'busy' END AS endpoints,
        extract(epoch FROM now() - oldest.due_at) AS seconds
      FROM head
      JOIN webhook_endpoints AS endpoint ON endpoint.id = head.endpoint_id
      JOIN webhook_endpoint_health AS health ON health.endpoint_id = head.endpoint_id
      LEFT JOIN busy ON busy.endpoint_id = head.endpoint_id
      CROSS JOIN LATERAL (
        SELECT due_at
        FROM delivery_work
        WHERE endpoint_id = head.endpoint_id AND due_at <= now()
        ORDER BY due_at
        LIMIT 1
      ) AS oldest
      WHERE endpoint.state = 'enabled' AND health.failures < ${CIRCUIT_FAILURES}
    )
    SELECT endpoints, max(seconds) AS seconds FROM due GROUP BY 1`,
}

const ENDPOINTS: Statement = {
  name: 'endpoints_count',
  text: `
    SELECT 'enabled' AS state, count(*)::integer AS count
    FROM (
      SELECT FROM webhook_endpoints WHERE state = 'enabled' LIMIT ${MAX_ENDPOINTS}
    ) AS enabled
    UNION ALL
    SELECT kinds.state, (
      SELECT count(*)
      FROM (
        SELECT
        FROM webhook_endpoints
        WHERE state = 'disabled' AND disabled_reason = kinds.reason
        LIMIT ${MAX_ENDPOINTS}
      ) AS disabled
    )::integer
    FROM (
      VALUES
        ('disabled_by_merchant', 'merchant'), ('disabled_gone', 'gone'), ('disabled_failing', 'failing')
    ) AS kinds (state, reason)`,
}

/** A merchant counts whose endpoints began to fail lately: of many at the same time, none is the cause. */
const FAILING: Statement = {
  name: 'endpoints_failing_count',
  text: `
    SELECT
      count(*) FILTER (WHERE failures < ${CIRCUIT_FAILURES})::integer AS closed,
      count(*) FILTER (WHERE failures >= ${CIRCUIT_FAILURES})::integer AS open,
      (count(DISTINCT owner_id) FILTER (WHERE failing_since > now() - interval '24 hours'))::integer AS merchants
    FROM (
      SELECT owner_id, failures, failing_since
      FROM webhook_endpoint_health AS health
      JOIN webhook_endpoints AS endpoint ON endpoint.id = health.endpoint_id
      WHERE failing_since IS NOT NULL AND endpoint.state = 'enabled'
      LIMIT ${MAX_ENDPOINTS}
    ) AS failing`,
}

/** Why deliveries that have not ended are not ended. */
export const PENDING_STATES = ['due', 'under_way', 'scheduled', 'paused', 'disabled'] as const
export type PendingState = (typeof PENDING_STATES)[number]

/** Endpoints at which a replica makes a try now, and others. */
export const ENDPOINTS_BY_TRIES = ['idle', 'busy'] as const

export interface FailingEndpoints {
  readonly closed: number
  readonly open: number
  readonly merchants: number
}

export type DeliveryCounts = Awaited<ReturnType<typeof readDeliveryCounts>>

export async function readDeliveryCounts(run: Run) {
  const pending = await run<{ state: PendingState; count: number }>(PENDING, [])
  const oldestDue = await run<{
    endpoints: (typeof ENDPOINTS_BY_TRIES)[number]
    seconds: string
  }>(OLDEST_DUE, [])
  const endpoints = await run<{ state: string; count: number }>(ENDPOINTS, [])
  const [failing] = await run<FailingEndpoints>(FAILING, [])
  return { pending, oldestDue, endpoints, failing }
}
