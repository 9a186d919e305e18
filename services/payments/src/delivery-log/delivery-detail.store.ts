import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { DELIVERY_COLUMNS, NOTIFICATION_COLUMNS, type StoredDelivery } from './delivery.view.js'
import type { StoredNotification } from './delivery.view.js'

/** A delivery with all that is known of it. */
export interface DeliveryDetail {
  readonly delivery: StoredDelivery
  readonly notification: StoredNotification & {
    /** The bytes that every try sends; null before the first one. */
    readonly body: string | null
  }
  /** Oldest first. */
  readonly log: readonly StoredTry[]
}

export interface StoredTry {
  readonly at: string
  readonly tookMs: number
  /** Null without a response. */
  readonly status: number | null
  readonly error: string | null
  readonly answer: string | null
}

const FIND: Statement = {
  name: 'delivery_find',
  text: `
SELECT
  (SELECT row_to_json(row) FROM (SELECT ${DELIVERY_COLUMNS}) AS row) AS delivery,
  (
    SELECT row_to_json(row)
    FROM (SELECT ${NOTIFICATION_COLUMNS}, notification.body) AS row
  ) AS notification,
  (
    SELECT
      coalesce(
        json_agg(
          json_build_object(
            'at', ${isoTime('at')},
            'tookMs', took_ms,
            'status', status,
            'error', error,
            'answer', answer
          )
          ORDER BY nth
        ),
        '[]'
      )
    FROM delivery_tries
    WHERE delivery_id = delivery.id
  ) AS log
FROM deliveries AS delivery
JOIN notifications AS notification ON notification.id = delivery.notification_id
LEFT JOIN delivery_work AS work ON work.delivery_id = delivery.id
WHERE delivery.id = $1 AND notification.owner_id = $2`,
}

/** undefined if the merchant has no such delivery. */
export async function findDelivery(
  run: Run,
  id: string,
  ownerId: string,
): Promise<DeliveryDetail | undefined> {
  return (await run<DeliveryDetail>(FIND, [id, ownerId]))[0]
}
