import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { Keyed } from './keyed.js'

/** What was answered under a key. */
export interface KeptAnswer {
  readonly fingerprint: Buffer
  readonly operationId: string
  readonly status: number
  readonly resourceId: string
  readonly resourceVersion: number
}

const FIND: Statement = {
  name: 'idempotency_key_find',
  text: `
SELECT nth, fingerprint, operation_id AS "operationId", response_status AS status,
       resource_id AS "resourceId", resource_version AS "resourceVersion"
  FROM json_to_recordset($1) AS input (nth integer, caller uuid, route text, key text)
  JOIN idempotency_keys USING (caller, route, key)`,
  batched: {},
}

/** What was answered to this caller under this key; undefined for a new one. */
export async function findKey(run: Run, caller: string, keyed: Keyed) {
  const [kept] = await run<KeptAnswer>(FIND, [{ caller, route: keyed.route, key: keyed.key }])
  return kept
}

const FORGET: Statement = {
  name: 'idempotency_keys_forget',
  text: `
WITH old AS (
  SELECT caller, route, key FROM idempotency_keys
   WHERE created_at < $1
   ORDER BY created_at
   LIMIT $2
     FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys USING old
 WHERE (idempotency_keys.caller, idempotency_keys.route, idempotency_keys.key)
     = (old.caller, old.route, old.key)
RETURNING 1 AS one`,
}

/** Forgets up to `limit` keys from before `time`; gives how many it forgot. */
export async function forgetKeys(run: Run, before: Date, limit: number): Promise<number> {
  return (await run(FORGET, [before, limit])).length
}
