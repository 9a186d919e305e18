import { type Page, pageOf } from '@malipo/kit/http/page'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import type { Database } from '@malipo/kit/postgres/database'
import type { EntityManager } from 'typeorm'
import { PaymentEvent } from './payment-event.entity.js'
import { Payment, type PaymentMethod } from './payment.entity.js'
import type { Viewer } from './payments.store.js'
import type { Status } from './transitions.js'

/** An unset field does not filter. */
export interface Filter {
  readonly status?: Status
  readonly currency?: string
  readonly paymentMethod?: PaymentMethod
  readonly customerPhone?: string
  /** Inclusive. */
  readonly createdFrom?: Date
  /** Exclusive. */
  readonly createdTo?: Date
  readonly limit: number
  /** The last id of the previous page. */
  readonly after?: string
}

/**
 * A page of payments, newest first. Ids are UUIDv7, which sort by time of creation. So one index supports the
 * page, the cursor and the time range.
 */
export async function listPayments(
  database: Database,
  viewer: Viewer,
  filter: Filter,
): Promise<Page<Payment>> {
  const found = await database.find('payment_list', (orm) => query(orm, viewer, filter).getMany())
  return pageOf(found, filter.limit)
}

function query(orm: EntityManager, viewer: Viewer, filter: Filter) {
  const select = orm.getRepository(Payment).createQueryBuilder('payment')
  if (!viewer.seesAll) select.andWhere('payment.ownerId = :owner', { owner: viewer.id })
  for (const field of ['status', 'currency', 'paymentMethod', 'customerPhone'] as const) {
    if (filter[field] !== undefined) {
      select.andWhere(`payment.${field} = :${field}`, { [field]: filter[field] })
    }
  }
  if (filter.createdFrom) {
    select.andWhere('payment.id >= :from', { from: minUuidAt(filter.createdFrom) })
  }
  if (filter.createdTo) select.andWhere('payment.id < :to', { to: minUuidAt(filter.createdTo) })
  if (filter.after) select.andWhere('payment.id < :after', { after: filter.after })
  // One row beyond the limit shows that there is a next page.
  return select.orderBy('payment.id', 'DESC').limit(filter.limit + 1)
}

/** Every event of a payment, oldest first. */
export async function listEvents(database: Database, paymentId: string): Promise<PaymentEvent[]> {
  return database.find('payment_events', (orm) =>
    orm.getRepository(PaymentEvent).find({ where: { paymentId }, order: { version: 'ASC' } }),
  )
}
