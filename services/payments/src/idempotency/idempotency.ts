import { Problem } from '@malipo/kit/http/problem'
import type { Run, Statement } from '@malipo/kit/postgres/database'
import { StillRunning } from '@malipo/kit/postgres/retry'
import { keyInUse, keyReused } from '../problems.js'
import type { IdempotencyKey } from './key.js'

/**
 * Idempotency-Key (draft-07): a repeated request gets the first response again.
 *
 * The statement that writes a resource also claims the key and stores the response (`key-claim.ts`). Each
 * resource decides for which responses its statement claims the key. If the key is already taken, the request
 * calls `replay` with a function that loads the resource.
 */

/** The header of a replayed response. */
export const REPLAYED = { 'idempotent-replayed': 'true' }

/** The result of a write: the resource or a rejection, new or replayed. */
export type Outcome<Resource> = { readonly replayed?: boolean } & (
  { readonly resource: Resource } | { readonly problem: Problem }
)

/** The first response for an idempotency key. A reference to the resource is stored instead of the body. */
export interface StoredResponse {
  /** Hexadecimal. */
  readonly fingerprint: string
  readonly operationId: string
  /** The response's HTTP status. */
  readonly status: number
  readonly resourceId: string
  /** The resource's version in the response, or the version at which the request was rejected. */
  readonly resourceVersion: number
}

const FIND: Statement = {
  name: 'idempotency_key_find',
  text: `
SELECT
  nth,
  encode(fingerprint, 'hex') AS fingerprint,
  operation_id AS "operationId",
  response_status AS status,
  resource_id AS "resourceId",
  resource_version AS "resourceVersion"
FROM json_to_recordset($1) AS input (nth integer, caller uuid, route text, key text)
JOIN idempotency_keys USING (caller, route, key)`,
  batched: {},
}

/** A request whose key is already taken. */
interface RepeatedRequest {
  /** The merchant, or the operator. */
  readonly caller: string
  readonly key: IdempotencyKey
  readonly operationId: string
  /** Whether an earlier attempt of this request may have committed. */
  readonly retried: boolean
}

/**
 * Replays the first response; 422 if the first request was a different one, 409 if it is still running.
 *
 * @param load returns the resource at the stored version, or the problem that the request got
 * @throws StillRunning if the running request may be an earlier attempt of this one
 */
export async function replay<Resource extends object>(
  run: Run,
  { caller, key: { key, route, fingerprint }, operationId, retried }: RepeatedRequest,
  load: (stored: StoredResponse) => Promise<Resource | Problem>,
): Promise<Outcome<Resource>> {
  const [stored] = await run<StoredResponse>(FIND, [{ caller, route, key }])
  if (!stored && retried) throw new StillRunning()
  if (!stored) return { problem: keyInUse() }
  if (stored.fingerprint !== fingerprint.toString('hex')) return { problem: keyReused() }
  // If the stored operation id is this request's, an earlier attempt of this request claimed the key.
  const replayed = stored.operationId !== operationId
  const loaded = await load(stored)
  if (!(loaded instanceof Problem)) return { resource: loaded, replayed }
  return { problem: replayed ? asReplayed(loaded) : loaded, replayed }
}

function asReplayed({ kind, detail, extras }: Problem): Problem {
  return new Problem(kind, detail, { ...extras, headers: { ...extras.headers, ...REPLAYED } })
}
