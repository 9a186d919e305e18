import type { Run, Statement } from '@malipo/kit/postgres/database'
import { StaleWrite } from '@malipo/kit/postgres/retry'
import type { SealedSecret } from './endpoint-secrets.js'
import { ENDPOINT_COLUMNS, type EndpointState, type StoredEndpoint } from './endpoint.view.js'

/** Endpoints of a merchant that are not deleted. */
export const MAX_ENDPOINTS = 16

/** A write of an endpoint of a merchant. */
interface EndpointWrite {
  readonly id: string
  readonly ownerId: string
  /** A later execution has no effect; by the database's clock, ISO 8601. */
  readonly deadline: string
}

export interface NewEndpoint extends EndpointWrite {
  readonly url: string
  readonly events: readonly string[]
  readonly description: string | null
  readonly secret: SealedSecret
}

/*
 * A statement that is executed long after its caller has timed out would create an endpoint whose secret no client has.
 * So it has no effect after the deadline. `webhook_endpoints_of` waits for other inserts of the owner, and sees them.
 */
const CREATE: Statement = {
  name: 'endpoint_create',
  text: `
    WITH counted AS MATERIALIZED (
      SELECT webhook_endpoints_of($2) >= ${MAX_ENDPOINTS} AS is_full
    ), judged AS MATERIALIZED (
      SELECT is_full, clock_timestamp() >= $6::timestamptz AS is_late FROM counted
    ), created AS (
      INSERT INTO webhook_endpoints
        (id, owner_id, url, events, description, state, created_at, updated_at, version)
      SELECT $1, $2, $3, $4, $5, 'enabled', now(), now(), 1
      FROM judged
      WHERE NOT is_full AND NOT is_late
      ON CONFLICT ON CONSTRAINT webhook_endpoints_pkey DO NOTHING
      RETURNING id
    ), secret AS (
      INSERT INTO webhook_endpoint_secrets
        (endpoint_id, nth, scheme, key_id, sealed, public_key, created_at)
      SELECT id, 1, $7, $8, $9::bytea, $10, now() FROM created
    )
    SELECT is_full AS "isFull", is_late AS "isLate", created.id
    FROM judged
    LEFT JOIN created ON true`,
}

/**
 * Creates an endpoint that the merchant does not have yet. An earlier attempt of this write is found by the id.
 *
 * @throws StaleWrite after the deadline
 */
export async function createEndpoint(
  run: Run,
  endpoint: NewEndpoint,
): Promise<StoredEndpoint | 'full'> {
  const { id, ownerId, url, events, description, deadline, secret } = endpoint
  const values = [id, ownerId, url, events, description, deadline, ...secretValues(secret)]
  const [row] = await run<{ isFull: boolean; isLate: boolean; id: string | null }>(CREATE, values)
  const created = await findEndpoint(run, id, ownerId)
  if (created) return created
  if (!row || row.isLate || !row.isFull) throw new StaleWrite()
  return 'full'
}

/** The values of `scheme`, `key_id`, `sealed` and `public_key`. */
export function secretValues({ scheme, kid, bytes, publicKey }: SealedSecret) {
  return [scheme, kid, bytes, publicKey] as const
}

const FIND: Statement = {
  name: 'endpoint_find',
  text: `
    SELECT ${ENDPOINT_COLUMNS}
    FROM webhook_endpoints AS endpoint
    WHERE id = $1 AND owner_id = $2 AND state <> 'deleted'`,
}

/** undefined if the merchant has no such endpoint. */
export async function findEndpoint(
  run: Run,
  id: string,
  ownerId: string,
): Promise<StoredEndpoint | undefined> {
  return (await run<StoredEndpoint>(FIND, [id, ownerId]))[0]
}

export interface EndpointChange extends EndpointWrite {
  readonly operationId: string
  /** The versions that `If-Match` accepts; undefined without a condition. */
  readonly versions: readonly number[] | undefined
  /** Fields that are undefined stay as they are. */
  readonly fields: {
    readonly url: string | undefined
    readonly events: readonly string[] | undefined
    /** null removes it. */
    readonly description: string | null | undefined
    readonly state: EndpointState | undefined
  }
}

/*
 * The statement locks the row before it decides, so each concurrent request decides on what the previous one committed.
 * A change to what the endpoint already is changes nothing. The failures of another URL don't count. Those of a disabled
 * endpoint are reset by a trigger when it is enabled.
 */
const CHANGE: Statement = {
  name: 'endpoint_change',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, version, url, events, description, state, disabled_reason, operation_id
      FROM webhook_endpoints
      WHERE id = $1 AND owner_id = $2 AND state <> 'deleted'
      FOR UPDATE
    ), input AS MATERIALIZED (
      SELECT
        target.*,
        coalesce($5, url) AS new_url,
        coalesce($6::text[], events) AS new_events,
        CASE WHEN $7::boolean THEN $8 ELSE description END AS new_description,
        coalesce($9, state) AS new_state,
        coalesce(version <> ALL ($4::integer[]), false) AS is_other,
        coalesce(operation_id = $10::uuid, false) AS is_own,
        clock_timestamp() >= $3::timestamptz AS is_late
      FROM target
    ), changed AS (
      UPDATE webhook_endpoints
      SET
        url = new_url,
        events = new_events,
        description = new_description,
        state = new_state,
        disabled_reason =
          CASE WHEN new_state = 'disabled' THEN coalesce(input.disabled_reason, 'merchant') END,
        operation_id = $10::uuid,
        updated_at = now(),
        version = input.version + 1
      FROM input
      WHERE webhook_endpoints.id = input.id
        AND NOT is_late
        AND NOT is_other
        AND NOT is_own
        AND (new_url, new_events, new_description, new_state)
          IS DISTINCT FROM (input.url, input.events, input.description, input.state)
      RETURNING webhook_endpoints.id
    ), recovered AS (
      UPDATE webhook_endpoint_health
      SET failures = 0, failed_tries = 0, failing_since = NULL, last_failure_at = NULL,
          open_until = '-infinity', warnings = 0
      FROM input
      JOIN changed USING (id)
      WHERE endpoint_id = input.id AND new_url <> input.url
    )
    SELECT is_late AND NOT is_own AS "isLate", is_other AND NOT is_own AS "isOther" FROM input`,
}

/**
 * Changes an endpoint. `changed_meanwhile`: it has another version than the condition accepts.
 *
 * @returns undefined if the merchant has no such endpoint
 * @throws StaleWrite after the deadline
 */
export async function changeEndpoint(
  run: Run,
  { id, ownerId, deadline, operationId, versions, fields }: EndpointChange,
): Promise<StoredEndpoint | 'changed_meanwhile' | undefined> {
  const { url, events, description, state } = fields
  const [row] = await run<{ isLate: boolean; isOther: boolean }>(CHANGE, [
    id,
    ownerId,
    deadline,
    versions ?? null,
    url ?? null,
    events ?? null,
    description !== undefined,
    description ?? null,
    state ?? null,
    operationId,
  ])
  if (row?.isOther) return 'changed_meanwhile'
  if (row?.isLate) throw new StaleWrite()
  return row && findEndpoint(run, id, ownerId)
}

/* A deletion is final. A trigger deletes the secrets. */
const DELETE: Statement = {
  name: 'endpoint_delete',
  text: `
    WITH deleted AS (
      UPDATE webhook_endpoints
      SET state = 'deleted', disabled_reason = NULL, operation_id = $3, updated_at = now(),
          version = version + 1
      WHERE id = $1 AND owner_id = $2 AND state <> 'deleted'
      RETURNING id
    )
    SELECT id FROM deleted
    UNION ALL
    SELECT id FROM webhook_endpoints WHERE id = $1 AND owner_id = $2 AND operation_id = $3`,
}

/** @returns false if the merchant has no such endpoint */
export async function deleteEndpoint(
  run: Run,
  { id, ownerId, operationId }: Pick<EndpointChange, 'id' | 'ownerId' | 'operationId'>,
): Promise<boolean> {
  return (await run(DELETE, [id, ownerId, operationId])).length > 0
}
