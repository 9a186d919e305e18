import type { ClientChecks } from '@malipo/kit/postgres/client-checks'
import type { Migrated } from '@malipo/kit/postgres/migrate'
import { Initial1795910400000 } from './migrations/1795910400000-initial.js'
import { Providers1795996800000 } from './migrations/1795996800000-providers.js'
import { ProviderIndexes1795996800001 } from './migrations/1795996800001-provider-indexes.js'
import { Operators1795996800002 } from './migrations/1795996800002-operators.js'
import { Notifications1796083200000 } from './migrations/1796083200000-notifications.js'
import { EventOwners1796083200001 } from './migrations/1796083200001-event-owners.js'
import { WebhookEndpoints1796083200002 } from './migrations/1796083200002-webhook-endpoints.js'
import { Erasures1796083200003 } from './migrations/1796083200003-erasures.js'
import { DeliveryResends1796083200004 } from './migrations/1796083200004-delivery-resends.js'
import { EndpointCounts1796083200005 } from './migrations/1796083200005-endpoint-counts.js'
import { PaymentEvent } from './payments/payment-event.entity.js'
import { Payment } from './payments/payment.entity.js'

/** The service's schema, and the rights of its role. The role can't change events or messages, apart from counts. */
export const dataSource = {
  entities: [Payment, PaymentEvent],
  migrations: [
    Initial1795910400000,
    Providers1795996800000,
    ProviderIndexes1795996800001,
    Operators1795996800002,
    Notifications1796083200000,
    EventOwners1796083200001,
    WebhookEndpoints1796083200002,
    Erasures1796083200003,
    DeliveryResends1796083200004,
    EndpointCounts1796083200005,
  ],
  rights: {
    payments: ['SELECT', 'INSERT', 'UPDATE'],
    payment_events: ['SELECT', 'INSERT'],
    payment_totals: ['SELECT', 'INSERT', 'UPDATE'],
    payment_totals_position: ['SELECT', 'UPDATE'],
    provider_messages: [
      'SELECT',
      'INSERT',
      'UPDATE (times, last_at, last_operation_id, outcome, attempt_id, payment_id)',
    ],
    provider_accounts: ['SELECT', 'INSERT', 'UPDATE (state)'],
    provider_call_limits: ['SELECT', 'INSERT', 'UPDATE'],
    payment_attempts: ['SELECT', 'INSERT', 'UPDATE'],
    attempt_events: ['SELECT', 'INSERT'],
    recoveries: ['SELECT', 'INSERT'],
    payers: ['SELECT', 'INSERT', 'UPDATE'],
    merchant_days: ['SELECT', 'INSERT', 'UPDATE'],
    attempt_work: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    attempt_proposals: ['SELECT', 'INSERT', 'UPDATE (ended_as, ended_by, ended_at)'],
    operator_actions: ['SELECT', 'INSERT'],
    webhook_endpoints: ['SELECT', 'INSERT', 'UPDATE'],
    webhook_endpoint_health: ['SELECT', 'INSERT', 'UPDATE'],
    webhook_endpoint_secrets: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    notifications: ['SELECT', 'INSERT', 'UPDATE (body)', 'DELETE'],
    deliveries: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    delivery_work: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    delivery_tries: ['SELECT', 'INSERT', 'DELETE'],
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
    webhook_endpoints_url_check: 'url',
    webhook_endpoints_events_check: 'events',
    webhook_endpoints_state_check: 'state',
  },
} satisfies Migrated & { clientChecks: ClientChecks }
