import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { DeliveryState } from '../deliveries/states.js'
import { type EventType, eventIdOf } from '../notifications/events.js'
import { referenceOf } from '../payments/payment.view.js'

/** What a notification is about. */
export interface StoredNotification {
  readonly id: string
  readonly type: EventType
  /** Of a payment or of an endpoint. */
  readonly subjectId: string
  readonly version: number
  readonly createdAt: string
}

/** The columns of `notification`, a row of `notifications`, in the form of `StoredNotification`. */
export const NOTIFICATION_COLUMNS = `
  notification.id,
  notification.type,
  notification.subject_id AS "subjectId",
  notification.subject_version AS version,
  ${isoTime('notification.created_at')} AS "createdAt"`

/** A delivery, as `DELIVERY_COLUMNS` select it. */
export interface StoredDelivery {
  readonly id: string
  readonly endpoint: string
  readonly notificationId: string
  readonly type: EventType
  readonly subjectId: string
  readonly state: DeliveryState
  readonly tries: number
  readonly lastStatus: number | null
  readonly lastError: string | null
  /** Null if no try is due, or one is under way. */
  readonly nextTryAt: string | null
  readonly createdAt: string
  readonly deliveredAt: string | null
  readonly failedAt: string | null
}

/** Of `delivery`, `notification` and the `work` of the delivery, if there is any. */
export const DELIVERY_COLUMNS = `
  delivery.id,
  delivery.endpoint_id AS endpoint,
  delivery.notification_id AS "notificationId",
  notification.type,
  notification.subject_id AS "subjectId",
  delivery.state,
  delivery.tries,
  delivery.last_status AS "lastStatus",
  delivery.last_error AS "lastError",
  CASE WHEN work.lease_id IS NULL THEN ${isoTime('work.due_at')} END AS "nextTryAt",
  ${isoTime('delivery.created_at')} AS "createdAt",
  ${isoTime('delivery.delivered_at')} AS "deliveredAt",
  ${isoTime('delivery.failed_at')} AS "failedAt"`

/** The representation of a delivery in responses. */
export function deliveryView({ notificationId, subjectId, ...delivery }: StoredDelivery) {
  const { type } = delivery
  return { ...delivery, event: eventIdOf(notificationId), subject: subjectOf(type, subjectId) }
}

/** The representation of a notification in responses. */
export function notificationView({ id, subjectId, ...notification }: StoredNotification) {
  const { type } = notification
  return { ...notification, id: eventIdOf(id), subject: subjectOf(type, subjectId) }
}

/** The reference of a payment, or the id of an endpoint. */
function subjectOf(type: EventType, id: string): string {
  return type.startsWith('payment.') ? referenceOf(id) : id
}
