import { type Page, pageOf } from '@malipo/kit/http/page'
import type { Database } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { EntityManager } from 'typeorm'
import type { EventType } from '../notifications/events.js'
import type { DeliveryState } from '../deliveries/states.js'
import { NOTIFICATION_COLUMNS, type StoredNotification } from './delivery.view.js'

/** Filters of a list. `createdFrom` is inclusive, `createdTo` exclusive. */
export interface NotificationFilter {
  readonly ownerId: string
  readonly type: EventType | undefined
  readonly paymentId: string | undefined
  readonly createdFrom: Date | undefined
  readonly createdTo: Date | undefined
  readonly limit: number
  /** The last one of the previous page. */
  readonly after: Pick<StoredNotification, 'id' | 'createdAt'> | undefined
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

/**
 * Newest first. Ids do not sort by time.
 *
 * @param cursor the last id of the previous page. If the retention has deleted it, it has deleted all older ones
 */
export async function listNotifications(
  database: Database,
  filter: Omit<NotificationFilter, 'after'>,
  cursor: string | undefined,
): Promise<Page<ListedNotification>> {
  const found = await database.find('notification_list', async (orm) => {
    const after = cursor === undefined ? undefined : await placeOf(orm, filter.ownerId, cursor)
    if (cursor !== undefined && !after) return []
    return selectNotifications(orm, { ...filter, after }).getRawMany<ListedNotification>()
  })
  return pageOf(found, filter.limit)
}

/** A separate query, because the planner can't estimate a range whose end is a subquery. */
async function placeOf(orm: EntityManager, ownerId: string, id: string) {
  return orm
    .createQueryBuilder()
    .select(`notification.id AS id, ${isoTime('notification.created_at')} AS "createdAt"`)
    .from('notifications', 'notification')
    .where('notification.id = :id AND notification.owner_id = :ownerId', { id, ownerId })
    .getRawOne<NonNullable<NotificationFilter['after']>>()
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
  if (after) {
    const place = '(:afterAt::timestamptz, :afterId::uuid)'
    const values = { afterAt: after.createdAt, afterId: after.id }
    select.andWhere(`(${at}, notification.id) < ${place}`, values)
  }
  // One row beyond the limit shows that there is a next page.
  return select
    .orderBy('notification.created_at', 'DESC')
    .addOrderBy('notification.id', 'DESC')
    .limit(limit + 1)
}
