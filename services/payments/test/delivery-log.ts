import { randomUUID } from 'node:crypto'
import type { Payments } from './payments.js'

/** The requests of a merchant for the log of its deliveries. */
export function deliveryLogOf(
  { token }: { readonly token: string },
  { client }: Pick<Payments, 'client'>,
) {
  const get = (path: string) => client.get(path, { token })
  const post = (path: string, body?: unknown) => client.post(path, body, { token })
  return {
    list: (endpoint: string, query = '') =>
      get(`/api/webhook-endpoints/${endpoint}/deliveries${query}`),
    notifications: (query = '') => get(`/api/notifications${query}`),
    get: (delivery: string) => get(`/api/deliveries/${delivery}`),
    resend: (delivery: string) => post(`/api/deliveries/${delivery}/resend`),
    ping: (endpoint: string) => post(`/api/webhook-endpoints/${endpoint}/ping`),
    replay: (endpoint: string, body: unknown) =>
      post(`/api/webhook-endpoints/${endpoint}/replay`, body),
  }
}

export type DeliveryLogOf = ReturnType<typeof deliveryLogOf>

interface Fields {
  readonly ownerId: string
  /** Undefined: no delivery. */
  readonly endpointId?: string
  readonly state?: string
  readonly type?: string
  readonly createdAt?: string
}

/**
 * Writes a notification, and its delivery in a state. A pending one is not due.
 *
 * @returns the id of the notification
 */
export async function storedNotification(
  { sql }: Pick<Payments, 'sql'>,
  { ownerId, endpointId, state = 'delivered', type = 'payment.failed', createdAt }: Fields,
): Promise<string> {
  const id = randomUUID()
  await sql(
    `INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
     VALUES ($1, $2, $3, gen_random_uuid(), 2, '{}', coalesce($4, now()))`,
    id,
    ownerId,
    type,
    createdAt ?? null,
  )
  if (endpointId === undefined) return id
  await sql(
    `WITH made AS (
       INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at, failed_at)
       VALUES (uuidv7(), $1, $2, $3, now(), CASE WHEN $3 IN ('failed', 'cancelled') THEN now() END)
       RETURNING id, endpoint_id
     )
     INSERT INTO delivery_work (delivery_id, endpoint_id, due_at)
     SELECT id, endpoint_id, now() + interval '1 hour' FROM made WHERE $3 = 'pending'`,
    id,
    endpointId,
    state,
  )
  return id
}
