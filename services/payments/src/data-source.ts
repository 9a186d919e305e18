import type { EntitiesAndMigrations } from '@malipo/kit/database'
import { Payments1764000000000 } from './migrations/1764000000000-payments.js'
import { PaymentEvent } from './payments/payment-event.entity.js'
import { Payment } from './payments/payment.entity.js'

/** What the app, the migrations and the tests know of the database. */
export const dataSource = {
  entities: [Payment, PaymentEvent],
  migrations: [Payments1764000000000],
} satisfies EntitiesAndMigrations
