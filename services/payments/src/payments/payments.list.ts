import { type Page, pageOf } from '@malipo/kit/http/page'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import type { Database } from '@malipo/kit/postgres/database'
import type { EntityManager } from 'typeorm'
import { paymentColumns } from './payment-columns.js'
import { PaymentEvent } from './payment-event.entity.js'
import { Payment } from './payment.entity.js'
import type { Viewer } from './payments.store.js'

const EQUAL_FIELDS = ['status', 'currency', 'paymentMethod', 'customerPhone'] as const

/** Filters of a list. Unset fields match every payment; `createdFrom` is inclusive, `createdTo` exclusive. */
export interface Filter extends Partial<Pick<Payment, (typeof EQUAL_FIELDS)[number]>> {
  readonly createdFrom?: Date
  readonly createdTo?: Date
  readonly limit: number
  /** The last id of the previous page. */
  readonly after?: string
}

/** Newest first. UUIDv7 ids sort by creation, so one index serves the order, the cursor and time filters. */
export async function listPayments(
  database: Database,
  viewer: Viewer,
  filter: Filter,
): Promise<Page<Payment>> {
  const found = await database.find('payment_list', (orm) =>
    query(orm, viewer, filter).getRawMany<Payment>(),
  )
  return pageOf(found, filter.limit)
}

function query(orm: EntityManager, viewer: Viewer, filter: Filter) {
  const { createdFrom, createdTo, after } = filter
  const select = orm
    .getRepository(Payment)
    .createQueryBuilder('payment')
    .select(paymentColumns('payment'))
  if (!viewer.seesAll) select.andWhere('payment.ownerId = :owner', { owner: viewer.id })
  for (const field of EQUAL_FIELDS) {
    if (filter[field] !== undefined) {
      select.andWhere(`payment.${field} = :${field}`, { [field]: filter[field] })
    }
  }
  if (createdFrom) select.andWhere('payment.id >= :from', { from: minUuidAt(createdFrom) })
  if (createdTo) select.andWhere('payment.id < :to', { to: minUuidAt(createdTo) })
  if (after) select.andWhere('payment.id < :after', { after })
  // One row beyond the limit shows that there is a next page.
  return select.orderBy('payment.id', 'DESC').limit(filter.limit + 1)
}

const EVENT_COLUMNS = `
  event.paymentId AS "paymentId", event.version AS version, event.fromStatus AS "fromStatus",
  event.toStatus AS "toStatus", ${isoTime('event.at')} AS at, event.actor AS actor,
  event.cause AS cause, event.reason AS reason, event.lastWebhookId AS "lastWebhookId",
  event.messageId AS "messageId"`

/** Every event of a payment, oldest first. */
export async function listEvents(database: Database, paymentId: string): Promise<PaymentEvent[]> {
  return database.find('payment_events', (orm) =>
    orm
      .getRepository(PaymentEvent)
      .createQueryBuilder('event')
      .select(EVENT_COLUMNS)
      .where('event.paymentId = :paymentId', { paymentId })
      .orderBy('event.version')
      .getRawMany<PaymentEvent>(),
  )
}
