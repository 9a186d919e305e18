import type { Client } from 'pg'
import { v7 } from 'uuid'
import type { Run } from '@malipo/kit/postgres/database'
import { type ClaimRequest, claimDeliveries } from '../src/deliveries/claim.store.js'
import { LEASE_SECONDS, MAX_IN_FLIGHT, MAX_SLOW } from '../src/deliveries/limits.js'

/** Endpoints with due deliveries, written directly, and claims of them. */

interface EndpointOptions {
  readonly ownerId?: string
  readonly isSlow?: boolean
  /** Tries in a row that broke the circuit. */
  readonly failures?: number
}

/** Inserts an enabled endpoint, which is fast unless stated otherwise; returns its id. */
export async function insertEndpoint(
  client: Client,
  { ownerId = v7(), isSlow = false, failures = 0 }: EndpointOptions = {},
): Promise<string> {
  const id = v7()
  await client.query(
    `INSERT INTO webhook_endpoints (id, owner_id, url, events, state, created_at, updated_at, version)
     VALUES ($1, $2, 'https://merchant.example/hook', '{*}', 'enabled', now(), now(), 1)`,
    [id, ownerId],
  )
  await client.query(
    `UPDATE webhook_endpoint_health 
     SET is_slow = $2, failures = $3::integer, failed_tries = $3::integer, failing_since = CASE WHEN $3::integer > 0 THEN now() END
     WHERE endpoint_id = $1`,
    [id, isSlow, failures],
  )
  return id
}

/** Inserts notifications with a delivery each. @param dueSeconds from now */
export async function insertWork(
  client: Client,
  endpointId: string,
  count: number,
  dueSeconds = -1,
): Promise<void> {
  await client.query(
    `WITH notified AS (
       INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
       SELECT uuidv7(), owner_id, 'payment.pending', uuidv7(), 2, '{}', now()
       FROM webhook_endpoints, generate_series(1, $2)
       WHERE webhook_endpoints.id = $1
       RETURNING id
     ), delivery AS (
       INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at)
       SELECT uuidv7(), id, $1, 'pending', now() FROM notified
       RETURNING id
     )
     INSERT INTO delivery_work (delivery_id, endpoint_id, due_at)
     SELECT id, $1, now() + make_interval(secs => $3) FROM delivery`,
    [endpointId, count, dueSeconds],
  )
}

/** Inserts an endpoint with due deliveries; returns its id. */
export async function endpointWithWork(
  client: Client,
  count: number,
  options?: EndpointOptions,
): Promise<string> {
  const id = await insertEndpoint(client, options)
  await insertWork(client, id, count)
  return id
}

/** A claim of a replica that makes no try yet, unless stated otherwise. */
export function claimOn(run: Run, own: Partial<ClaimRequest> = {}, retried = false) {
  const request = {
    free: MAX_IN_FLIGHT,
    freeSlow: MAX_SLOW,
    leaseId: v7(),
    leaseSeconds: LEASE_SECONDS,
    busy: [],
    ...own,
  }
  return claimDeliveries(run, request, retried)
}

/** How many of the claimed deliveries each value of a field has. */
export function countsOf<Item>(items: readonly Item[], key: (item: Item) => string) {
  return Object.fromEntries([...Map.groupBy(items, key)].map(([value, own]) => [value, own.length]))
}
