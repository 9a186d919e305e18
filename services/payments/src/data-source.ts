import type { ClientChecks } from '@malipo/kit/postgres/client-checks'
import type { Migrated } from '@malipo/kit/postgres/migrate'
import { Initial1795910400000 } from './migrations/1795910400000-initial.js'
import { PaymentEvent } from './payments/payment-event.entity.js'
import { Payment } from './payments/payment.entity.js'

/** The service's schema, and the rights of its role. The role can't change events or messages, apart from counts. */
export const dataSource = {
  entities: [Payment, PaymentEvent],
  migrations: [Initial1795910400000],
  rights: {
    payments: ['SELECT', 'INSERT', 'UPDATE'],
    payment_events: ['SELECT', 'INSERT'],
    payment_totals: ['SELECT', 'INSERT', 'UPDATE'],
    payment_totals_position: ['SELECT', 'UPDATE'],
    provider_messages: ['SELECT', 'INSERT', 'UPDATE (times, last_at, last_operation_id)'],
    // `FOR UPDATE SKIP LOCKED` requires the UPDATE privilege.
    idempotency_keys: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  },
  clientChecks: {
    payments_amount_minor_check: 'amount',
    payments_currency_check: 'currency',
    payments_payment_method_check: 'paymentMethod',
    payments_customer_phone_check: 'customerPhone',
    payments_customer_email_check: 'customerEmail',
    payments_status_check: 'status',
  },
} satisfies Migrated & { clientChecks: ClientChecks }
