import { type Page, pageOf } from '@malipo/kit/http/page'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import type { Database } from '@malipo/kit/postgres/database'
import type { EntityManager } from 'typeorm'
import { PaymentEvent } from './payment-event.entity.js'
import { Payment, type PaymentMethod } from './payment.entity.js'
import type { Reader } from './payments.store.js'
import type { Status } from './transitions.js'

/** Which payments to list; what is not set does not matter. */
export interface Filter {
  readonly status?: Status
  readonly currency?: string
  readonly paymentMethod?: PaymentMethod
  readonly customerPhone?: string
  /** From this time on, and before that one. */
  readonly createdFrom?: Date
  readonly createdTo?: Date
  readonly limit: number
  /** The id that the page before ended with. */
  readonly after?: string
}

/**
 * A page of payments, newest first. Ids are UUIDv7, so their order is the order of creation and one
 * index serves the page, the cursor and the times.
 */
export async function listPayments(
  database: Database,
  reader: Reader,
  filter: Filter,
): Promise<Page<Payment>> {
  const found = await database.find('payment_list', (orm) => query(orm, reader, filter).getMany())
  return pageOf(found, filter.limit)
}

function query(orm: EntityManager, reader: Reader, filter: Filter) {
  const select = orm.getRepository(Payment).createQueryBuilder('payment')
  if (!reader.everyone) select.andWhere('payment.ownerId = :owner', { owner: reader.id })
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
  // One more than asked for tells whether there is a next page.
  return select.orderBy('payment.id', 'DESC').limit(filter.limit + 1)
}

/** Every change of a payment, the first one first. */
export async function listEvents(database: Database, paymentId: string): Promise<PaymentEvent[]> {
  return database.find('payment_events', (orm) =>
    orm.getRepository(PaymentEvent).find({ where: { paymentId }, order: { version: 'ASC' } }),
  )
}
