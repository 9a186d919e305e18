import type { IdempotencyKey } from './key.js'

/**
 * SQL fragments for a statement that writes a resource of any type and claims the request's idempotency key.
 * The statement's `input` has the columns `KEY_COLUMNS` and is filtered by `TRY_LOCK_KEY`. A row with a key
 * is written only if `claimKeys` returns its operation id, so the key and the write commit together.
 */

/** Column definitions for `json_to_recordset`. Without a key, `key`, `route` and `fingerprint` are null. */
export const KEY_COLUMNS = 'caller uuid, operation_id uuid, key text, route text, fingerprint bytea'

/**
 * True for a request that has no key, or that acquires the lock of its key. The first request holds this lock
 * until its transaction ends, so a lost connection leaves no lock behind.
 */
export const TRY_LOCK_KEY = `
    (key IS NULL
      OR pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', caller, route, key), 0)))`

/** The response that is stored with a key: SQL expressions over the rows of `from`. */
export interface StoredColumns {
  /** A relation with the columns of `KEY_COLUMNS`. */
  readonly from: string
  readonly responseStatus: string
  readonly resourceType: string
  readonly resourceId: string
  readonly resourceVersion: string
  readonly createdAt: string
}

/** Inserts the keys of requests and returns the `operation_id` of each request whose key is new. */
export const claimKeys = (stored: StoredColumns) => `
  INSERT INTO idempotency_keys
    (caller, route, key, fingerprint, operation_id, response_status, resource_type, resource_id,
     resource_version, created_at)
  SELECT
    caller, route, key, fingerprint, operation_id, ${stored.responseStatus},
    '${stored.resourceType}', ${stored.resourceId}, ${stored.resourceVersion}, ${stored.createdAt}
  FROM ${stored.from}
  WHERE key IS NOT NULL
  ON CONFLICT DO NOTHING
  RETURNING operation_id`

/** The values of `KEY_COLUMNS` for a request, except `caller` and `operation_id`. */
export function keyValues(idempotencyKey: IdempotencyKey | undefined) {
  if (!idempotencyKey) return {}
  const { key, route, fingerprint } = idempotencyKey
  return { key, route, fingerprint: `\\x${fingerprint.toString('hex')}` }
}

export type KeyValues = Readonly<Partial<Record<'caller' | 'route' | 'key', string>>>

/** Separates requests with the same key: in one batch, neither would see the other's row. */
export function keyConflicts({ caller, route, key }: KeyValues): readonly string[] {
  return key === undefined ? [] : [`${caller} ${route} ${key}`]
}
