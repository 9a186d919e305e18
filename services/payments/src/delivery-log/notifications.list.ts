import { type Page, pageOf } from '@malipo/kit/http/page'
import type { Database } from '@malipo/kit/postgres/database'
import type { EntityManager } from 'typeorm'
import type { EventType } from '../notifications/events.js'
import {
  type DeliveryState,
  NOTIFICATION_COLUMNS,
  type StoredNotification,
} from './delivery.view.js'

/** Filters of a list. `createdFrom` is inclusive, `createdTo` exclusive. */
export interface NotificationFilter {
  readonly ownerId: string
  readonly type: EventType | undefined
  readonly paymentId: string | undefined
  readonly createdFrom: Date | undefined
  readonly createdTo: Date | undefined
  readonly limit: number
  /** The last id of the previous page. */
  readonly after: string | undefined
}

export interface ListedNotification extends StoredNotification {
  /** To the endpoints that are not deleted. */
  readonly deliveries: readonly {
    readonly id: string
    readonly endpoint: string
    readonly state: DeliveryState
    readonly tries: number
    readonly lastStatus: number | null
    readonly lastError: string | null
  }[]
}

/** Newest first. */
export async function listNotifications(
  database: Database,
  filter: NotificationFilter,
): Promise<Page<ListedNotification>> {
  const found = await database.find('notification_list', (orm) =>
    selectNotifications(orm, filter).getRawMany<ListedNotification>(),
  )
  return pageOf(found, filter.limit)
}

const DELIVERIES = `
  (
    SELECT
      coalesce(
        json_agg(
          json_build_object(
            'id', delivery.id,
            'endpoint', endpoint.id,
            'state', delivery.state,
            'tries', delivery.tries,
            'lastStatus', delivery.last_status,
            'lastError', delivery.last_error
          )
          ORDER BY delivery.id
        ),
        '[]'
      )
    FROM deliveries AS delivery
    JOIN webhook_endpoints AS endpoint ON endpoint.id = delivery.endpoint_id
    WHERE delivery.notification_id = notification.id AND endpoint.state <> 'deleted'
  ) AS deliveries`

/** The types of most notifications. Those of another type have an index. */
const COMMON: readonly EventType[] = ['payment.pending', 'payment.succeeded', 'payment.failed']
const IS_RARE = `notification.type NOT IN (${COMMON.map((type) => `'${type}'`).join(', ')})`

export function selectNotifications(orm: EntityManager, filter: NotificationFilter) {
  const { ownerId, type, paymentId, createdFrom, createdTo, limit, after } = filter
  const select = orm
    .createQueryBuilder()
    .select(`${NOTIFICATION_COLUMNS}, ${DELIVERIES}`)
    .from('notifications', 'notification')
    .where('notification.owner_id = :ownerId', { ownerId })
  if (type !== undefined) {
    select.andWhere('notification.type = :type', { type })
    // A parameter does not show that a partial index applies.
    if (!COMMON.includes(type)) select.andWhere(IS_RARE)
  }
  if (paymentId !== undefined) {
    select.andWhere('notification.subject_id = :paymentId', { paymentId })
  }
  const at = 'notification.created_at'
  if (createdFrom)
    select.andWhere(`${at} >= :from::timestamptz`, { from: createdFrom.toISOString() })
  if (createdTo) select.andWhere(`${at} < :to::timestamptz`, { to: createdTo.toISOString() })
  if (after !== undefined) select.andWhere(AFTER, { after })
  // One row beyond the limit shows that there is a next page.
  return select
    .orderBy('notification.created_at', 'DESC')
    .addOrderBy('notification.id', 'DESC')
    .limit(limit + 1)
}

/** Ids do not sort by time. If the retention has deleted the last row of the previous page, it has deleted older ones. */
const AFTER = `
  (notification.created_at, notification.id) < (
    (SELECT created_at FROM notifications WHERE id = :after AND owner_id = :ownerId), :after::uuid
  )`
