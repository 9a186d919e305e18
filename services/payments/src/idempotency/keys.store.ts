import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { IdempotencyKey } from './key-claim.js'

/** The response to the first request with a key, stored as a reference to the resource that it shows. */
export interface StoredResponse {
  readonly fingerprint: Buffer
  readonly operationId: string
  /** Its HTTP status. */
  readonly status: number
  readonly resourceType: string
  readonly resourceId: string
  readonly resourceVersion: number
}

const FIND: Statement = {
  name: 'idempotency_key_find',
  text: `
SELECT
  nth,
  fingerprint,
  operation_id AS "operationId",
  response_status AS status,
  resource_type AS "resourceType",
  resource_id AS "resourceId",
  resource_version AS "resourceVersion"
FROM json_to_recordset($1) AS input (nth integer, caller uuid, route text, key text)
JOIN idempotency_keys USING (caller, route, key)`,
  batched: {},
}

/** The stored response for this caller's key; undefined while no request with the key has committed. */
export async function findResponse(
  run: Run,
  caller: string,
  { route, key }: IdempotencyKey,
): Promise<StoredResponse | undefined> {
  const [stored] = await run<StoredResponse>(FIND, [{ caller, route, key }])
  return stored
}

const DELETE: Statement = {
  name: 'idempotency_keys_delete',
  text: `
WITH expired AS (
  SELECT caller, route, key
  FROM idempotency_keys
  WHERE created_at < $1
  ORDER BY created_at
  LIMIT $2
  FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys
USING expired
WHERE (idempotency_keys.caller, idempotency_keys.route, idempotency_keys.key)
  = (expired.caller, expired.route, expired.key)
RETURNING true AS deleted`,
}

/** Deletes up to `limit` keys created before a time. @returns how many it deleted */
export async function deleteKeys(run: Run, before: Date, limit: number): Promise<number> {
  return (await run(DELETE, [before, limit])).length
}
