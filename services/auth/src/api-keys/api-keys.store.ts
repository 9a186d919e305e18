import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { RevokedSession } from '../revocations/outbox.store.js'
import { type Revoked, revokeStatement } from '../revocations/revoke.statement.js'
import { type KeyRow, keyColumns } from './key-row.js'

/** The limit bounds the response, for example of a client that rotates a key every minute. */
const KEYS_OF_MERCHANT: Statement = {
  name: 'keys_of_merchant',
  text: `
    SELECT ${keyColumns('api_keys')}
    FROM api_keys
    WHERE merchant_id = $1
      AND (revoked_at IS NULL OR revoked_at > now() - interval '720 hours')
    ORDER BY revoked_at IS NULL DESC, created_at DESC, id
    LIMIT 100`,
}

export async function keysOfMerchant(run: Run, merchantId: string): Promise<KeyRow[]> {
  return run<KeyRow>(KEYS_OF_MERCHANT, [merchantId])
}

const LIFETIME: Statement = {
  name: 'key_lifetime',
  text: `
    SELECT lifetime_seconds::text AS "lifetimeSeconds",
           revoked_at IS NOT NULL OR coalesce(expires_at <= now(), false) AS "isEnded"
    FROM api_keys
    WHERE id = $1 AND merchant_id = $2`,
}

interface KeyLifetime {
  /** From the creation to the first expiry; null if the key does not expire. */
  readonly lifetimeMs: number | null
  readonly isEnded: boolean
}

/** undefined if the merchant has no such key. */
export async function keyLifetime(
  run: Run,
  id: string,
  merchantId: string,
): Promise<KeyLifetime | undefined> {
  const [row] = await run<{ lifetimeSeconds: string | null; isEnded: boolean }>(LIFETIME, [
    id,
    merchantId,
  ])
  if (!row) return undefined
  const { lifetimeSeconds, isEnded } = row
  return { isEnded, lifetimeMs: lifetimeSeconds === null ? null : Number(lifetimeSeconds) * 1000 }
}

const KEY_REVOKE = revokeStatement('key_revoke', { table: 'api_keys', owner: 'merchant_id' })

/** @returns undefined if the merchant has no such key; `isNew` is false if it was already revoked */
export async function revokeKey(
  run: Run,
  { id, merchantId, actor }: { id: string; merchantId: string; actor: string },
): Promise<Revoked | undefined> {
  return (await run<Revoked>(KEY_REVOKE, [id, merchantId, 'revoked', actor]))[0]
}

/* Of two replicas, one skips the rows that the other has locked. */
const KEYS_EXPIRE: Statement = {
  name: 'keys_expire',
  text: `
    WITH expired AS (
      SELECT id
      FROM api_keys
      WHERE revoked_at IS NULL AND expires_at <= now()
      ORDER BY expires_at
      LIMIT $1
      FOR UPDATE SKIP LOCKED
    )
    UPDATE api_keys
    SET revoked_at = clock_timestamp(), revocation_cause = 'expired'
    FROM expired
    WHERE api_keys.id = expired.id
    RETURNING api_keys.id AS sid, ${isoTime('api_keys.revoked_at')} AS at`,
}

/** Revokes keys that have expired; at most `limit`. */
export async function revokeExpiredKeys(run: Run, limit: number): Promise<RevokedSession[]> {
  return run<RevokedSession>(KEYS_EXPIRE, [limit])
}

const KEYS_DELETE: Statement = {
  name: 'keys_delete_revoked',
  text: `
    WITH ended AS (
      SELECT id
      FROM api_keys
      WHERE revoked_at < now() - interval '720 hours'
        AND NOT EXISTS (SELECT FROM revocation_outbox WHERE session_id = api_keys.id)
      ORDER BY revoked_at
      LIMIT $1
      FOR UPDATE SKIP LOCKED
    )
    DELETE FROM api_keys
    USING ended
    WHERE api_keys.id = ended.id
    RETURNING 1`,
}

/** Deletes keys that were revoked 30 days ago. @returns their number, at most `limit` */
export async function deleteRevokedKeys(run: Run, limit: number): Promise<number> {
  return (await run(KEYS_DELETE, [limit])).length
}

/* Executed late or twice, it changes nothing: the latest use remains. */
const KEYS_USED: Statement = {
  name: 'keys_used',
  text: `
    UPDATE api_keys
    SET last_used_at = used.at
    FROM json_to_recordset($1) AS used (id uuid, at timestamptz)
    WHERE api_keys.id = used.id AND used.at > coalesce(last_used_at, '-infinity')`,
}

/** @param uses the last use of each key, ISO 8601 */
export async function recordUses(
  run: Run,
  uses: readonly { readonly id: string; readonly at: string }[],
): Promise<void> {
  await run(KEYS_USED, [JSON.stringify(uses)])
}

const KEYS_UNUSED: Statement = {
  name: 'keys_unused',
  text: `
    SELECT count(*)::integer AS count
    FROM api_keys
    WHERE revoked_at IS NULL
      AND coalesce(last_used_at, created_at) < now() - interval '2160 hours'`,
}

/** The number of keys that were not used for 90 days. */
export async function countUnusedKeys(run: Run): Promise<number> {
  return (await run<{ count: number }>(KEYS_UNUSED, []))[0]?.count ?? 0
}
