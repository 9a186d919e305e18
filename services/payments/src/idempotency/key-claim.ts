import type { IdempotencyKey } from './key.js'

/**
 * SQL that claims an idempotency key in the statement that writes a resource, for any resource. The
 * statement's `input` has the columns of `KEY_COLUMNS` and is filtered by `TRY_LOCK_KEY`. It writes only for
 * the rows that `claimKeys` returns, so a key's row commits only together with the write.
 */

/** The columns of `json_to_recordset` for a request with or without a key. */
export const KEY_COLUMNS = 'caller uuid, operation_id uuid, key text, route text, fingerprint bytea'

/**
 * True for a request that has no key or acquires the lock of its key. The first request holds the lock while
 * it runs. The lock ends with the transaction, so a lost connection leaves no lock behind.
 */
export const TRY_LOCK_KEY = `
    (key IS NULL
      OR pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', caller, route, key), 0)))`

/** The response to store with a key: SQL expressions over the rows of `from`. */
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

/** The values of `KEY_COLUMNS` for a request, apart from `caller` and `operation_id`. */
export function keyValues(idempotencyKey: IdempotencyKey | undefined) {
  if (!idempotencyKey) return {}
  const { key, route, fingerprint } = idempotencyKey
  return { key, route, fingerprint: `\\x${fingerprint.toString('hex')}` }
}

export type KeyValues = Readonly<Partial<Record<'caller' | 'route' | 'key', string>>>

/** Keeps two requests with the same key out of one batch, where they would not see each other's row. */
export function keyConflicts({ caller, route, key }: KeyValues): readonly string[] {
  return key === undefined ? [] : [`${caller} ${route} ${key}`]
}
