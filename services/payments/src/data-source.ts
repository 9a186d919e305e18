import type { Migrated } from '@malipo/kit/postgres/migrate'
import { Payments1764000000000 } from './migrations/1764000000000-payments.js'
import { Totals1795500000000 } from './migrations/1795500000000-totals.js'
import { TotalsIndexes1795500000001 } from './migrations/1795500000001-totals-indexes.js'
import { PaymentEvent } from './payments/payment-event.entity.js'
import { Payment } from './payments/payment.entity.js'

/**
 * What the app, the migrations and the tests know of the database. The service may add to what happened
 * and never change it; locking a row of `idempotency_keys` to forget it takes the right to update it.
 */
export const dataSource = {
  entities: [Payment, PaymentEvent],
  migrations: [Payments1764000000000, Totals1795500000000, TotalsIndexes1795500000001],
  rights: {
    payments: ['SELECT', 'INSERT', 'UPDATE'],
    payment_events: ['SELECT', 'INSERT'],
    payment_totals: ['SELECT', 'INSERT', 'UPDATE'],
    payment_totals_bookmark: ['SELECT', 'UPDATE'],
    webhooks: ['SELECT', 'INSERT'],
    webhook_conflicts: ['SELECT', 'INSERT', 'UPDATE'],
    idempotency_keys: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  },
} satisfies Migrated
