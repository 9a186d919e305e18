import type { Run } from '@malipo/kit/postgres/database'
import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import { findVersion } from '../payments/payments.store.js'
import type { Payment } from '../payments/payment.entity.js'
import { refusal } from '../payments/refusal.js'
import { PROBLEMS } from '../problems.js'
import { fingerprint, isKey } from './key.js'
import type { Keyed } from './keyed.js'
import { findKey } from './keys.store.js'

/**
 * Idempotency-Key: the same request sent again gets the first answer again.
 *
 * The statement that has the effect takes the key (`keyed.ts`), so neither is ever there without the
 * other. Here is what comes before, reading the header, and after, when the key was taken already.
 */

/** The header on an answer that was given before. */
export const REPLAYED = { 'idempotent-replayed': 'true' }

/** What becomes of a write: a payment or a problem, and whether that was answered before. */
export type Outcome = { readonly replayed: boolean } & (
  { readonly payment: Payment } | { readonly problem: Problem }
)

/**
 * Reads the header.
 *
 * @param request the parsed body and conditions, of which the fingerprint is made
 * @throws Problem 400 for what can't be a key
 */
export function keyedBy(
  key: string | undefined,
  route: string,
  request: unknown,
): Keyed | undefined {
  if (key === undefined) return undefined
  if (isKey(key)) return { key, route, fingerprint: fingerprint(request) }
  throw new Problem(
    HTTP_PROBLEMS.validation,
    'Idempotency-Key must be 1 to 255 printable ASCII characters.',
    {
      errors: [
        { field: 'Idempotency-Key', message: 'must be 1 to 255 printable ASCII characters' },
      ],
    },
  )
}

/**
 * Gives the first answer again: the payment as it was then, or the refusal; 422 when the key came with
 * another request; undefined when it is not there, since the first request with it has not ended.
 *
 * @param operationId this request's own: a key that has it was taken by an earlier try of this request
 */
export async function replay(
  run: Run,
  caller: string,
  keyed: Keyed,
  operationId: string,
): Promise<Outcome | undefined> {
  const kept = await findKey(run, caller, keyed)
  if (!kept) return undefined
  if (!kept.fingerprint.equals(keyed.fingerprint)) return { problem: reused(), replayed: false }
  const replayed = kept.operationId !== operationId
  const { status, resourceId, resourceVersion } = kept
  const payment = await findVersion(run, resourceId, resourceVersion)
  if (!payment) throw new Error(`payment ${resourceId} has no version ${resourceVersion}`)
  if (status >= 400) {
    const answer: 400 | 412 = status === 412 ? 412 : 400
    const refused = { answer, seenStatus: payment.status, seenVersion: resourceVersion }
    return { problem: refusal(refused, replayed ? REPLAYED : {}), replayed }
  }
  return { payment, replayed }
}

function reused(): Problem {
  return new Problem(PROBLEMS.keyReused, 'This Idempotency-Key came with another request before.')
}

/** The 409 for a key whose first request is still running. */
export function inUse(): Problem {
  return new Problem(PROBLEMS.keyInUse, 'A request with this Idempotency-Key is still running.', {
    retryAfterSeconds: 1,
  })
}
