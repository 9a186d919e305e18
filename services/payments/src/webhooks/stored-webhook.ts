import type { Run } from '@malipo/kit/postgres/database'
import type { Payment } from '../payments/payment.entity.js'
import { type IncomingWebhook, storeConflict } from './messages.store.js'
import { findWebhook } from './webhooks.store.js'

/** A webhook that was stored before under the same id, with its payment's current state. */
export interface Stored {
  readonly storedOutcome: 'applied' | 'superseded'
  readonly operationId: string
  readonly payment: Payment
}

/**
 * The webhook that is stored under the id of this one; undefined for a new id. If it has another reference or status,
 * this one is stored as a conflict.
 */
export async function findStored(
  run: Run,
  webhook: IncomingWebhook,
): Promise<Stored | 'conflict' | undefined> {
  const stored = await findWebhook(run, webhook)
  if (!stored) return undefined
  const { paymentId, storedStatus, storedOutcome, operationId, ...payment } = stored
  if (paymentId === webhook.paymentId && storedStatus === webhook.reading.status) {
    return { storedOutcome, operationId, payment }
  }
  await storeConflict(run, webhook)
  return 'conflict'
}
