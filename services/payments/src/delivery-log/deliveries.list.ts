import { type Page, pageOf } from '@malipo/kit/http/page'
import type { Database } from '@malipo/kit/postgres/database'
import type { EntityManager } from 'typeorm'
import type { DeliveryState } from '../deliveries/states.js'
import { DELIVERY_COLUMNS, type StoredDelivery } from './delivery.view.js'

export interface DeliveryFilter {
  readonly endpointId: string
  /** Undefined: every state. */
  readonly state: DeliveryState | undefined
  readonly limit: number
  /** The last id of the previous page. */
  readonly after: string | undefined
}

/** The deliveries to an endpoint, newest first. UUIDv7 ids sort by creation. */
export async function listDeliveries(
  database: Database,
  filter: DeliveryFilter,
): Promise<Page<StoredDelivery>> {
  const found = await database.find('delivery_list', (orm) =>
    selectDeliveries(orm, filter).getRawMany<StoredDelivery>(),
  )
  return pageOf(found, filter.limit)
}

export function selectDeliveries(orm: EntityManager, filter: DeliveryFilter) {
  const { endpointId, state, limit, after } = filter
  const select = orm
    .createQueryBuilder()
    .select(DELIVERY_COLUMNS)
    .from('deliveries', 'delivery')
    .innerJoin('notifications', 'notification', 'notification.id = delivery.notification_id')
    .leftJoin('delivery_work', 'work', 'work.delivery_id = delivery.id')
    .where('delivery.endpoint_id = :endpointId', { endpointId })
  if (state !== undefined) {
    select.andWhere('delivery.state = :state', { state })
    const implied = IMPLIED[state]
    if (implied) select.andWhere(implied)
  }
  if (after !== undefined) select.andWhere('delivery.id < :after', { after })
  // One row beyond the limit shows that there is a next page.
  return select.orderBy('delivery.id', 'DESC').limit(limit + 1)
}

/** Conditions that hold in a state, and for which there is a smaller relation or index. */
const IMPLIED: Partial<Record<DeliveryState, string>> = {
  pending: 'delivery.id IN (SELECT delivery_id FROM delivery_work WHERE endpoint_id = :endpointId)',
  failed: 'delivery.failed_at IS NOT NULL',
  cancelled: 'delivery.failed_at IS NOT NULL',
}
