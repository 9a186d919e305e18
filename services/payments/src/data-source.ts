import type { Migrated } from '@malipo/kit/postgres/migrate'
import { Initial1795910400000 } from './migrations/1795910400000-initial.js'
import { PaymentEvent } from './payments/payment-event.entity.js'
import { Payment } from './payments/payment.entity.js'

/** The service's role can't change events or webhooks. */
export const dataSource = {
  entities: [Payment, PaymentEvent],
  migrations: [Initial1795910400000],
  rights: {
    payments: ['SELECT', 'INSERT', 'UPDATE'],
    payment_events: ['SELECT', 'INSERT'],
    payment_totals: ['SELECT', 'INSERT', 'UPDATE'],
    payment_totals_position: ['SELECT', 'UPDATE'],
    webhooks: ['SELECT', 'INSERT'],
    webhook_conflicts: ['SELECT', 'INSERT', 'UPDATE'],
    // UPDATE permits `FOR UPDATE SKIP LOCKED`.
    idempotency_keys: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  },
} satisfies Migrated
