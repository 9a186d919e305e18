import { Problem } from '@malipo/kit/http/problem'
import { validationProblem } from '@malipo/kit/http/validation'
import type { Run } from '@malipo/kit/postgres/database'
import { StillRunning } from '@malipo/kit/postgres/retry'
import { keyInUse, keyReused } from '../problems.js'
import type { IdempotencyKey } from './key-claim.js'
import { fingerprint, isKey } from './key.js'
import { findResponse, type StoredResponse } from './keys.store.js'

/**
 * Idempotency-Key (draft-07): a repeated request gets the first response again.
 *
 * The statement that writes a resource also claims the key (`key-claim.ts`). The resource decides which
 * responses are stored, by whether its statement claims the key. If the key is taken, the request calls
 * `replay` with a loader of the resource.
 */

/** The header of a replayed response. */
export const REPLAYED = { 'idempotent-replayed': 'true' }

/** The result of a write: the resource or a rejection, new or replayed. */
export type Outcome<Resource> = { readonly replayed: boolean } & (
  { readonly resource: Resource } | { readonly problem: Problem }
)

/** A request whose key is taken. */
export interface RepeatedRequest {
  readonly caller: string
  readonly key: IdempotencyKey
  readonly operationId: string
  /** Whether an earlier attempt of this request may have committed. */
  readonly retried: boolean
}

/**
 * Loads the resource at the stored version, or the problem with which the request was rejected at that
 * version.
 */
export type Loader<Resource> = (stored: StoredResponse) => Promise<Resource | Problem>

/**
 * Reads the header.
 *
 * @param request the parsed body and conditions, for the fingerprint
 * @throws Problem 400 for a malformed key
 */
export function readKey(
  header: string | undefined,
  route: string,
  request: unknown,
): IdempotencyKey | undefined {
  if (header === undefined) return undefined
  if (isKey(header)) return { key: header, route, fingerprint: fingerprint(request) }
  const message = 'must be 1 to 255 printable ASCII characters'
  throw validationProblem([{ field: 'Idempotency-Key', message }])
}

/**
 * Replays the first response; 422 if the first request was a different one, 409 while it is still running.
 *
 * @throws StillRunning if the running request may be an earlier attempt of this one
 */
export async function replay<Resource extends object>(
  run: Run,
  { caller, key, operationId, retried }: RepeatedRequest,
  load: Loader<Resource>,
): Promise<Outcome<Resource>> {
  const stored = await findResponse(run, caller, key)
  if (!stored && retried) throw new StillRunning()
  if (!stored) return { problem: keyInUse(), replayed: false }
  if (!stored.fingerprint.equals(key.fingerprint)) return { problem: keyReused(), replayed: false }
  // If the stored operation id is that of this request, its own earlier attempt claimed the key.
  const replayed = stored.operationId !== operationId
  const loaded = await load(stored)
  if (!(loaded instanceof Problem)) return { resource: loaded, replayed }
  return { problem: replayed ? asReplayed(loaded) : loaded, replayed }
}

function asReplayed({ kind, detail, extras }: Problem): Problem {
  return new Problem(kind, detail, { ...extras, headers: { ...extras.headers, ...REPLAYED } })
}
