import type { Provider } from '@nestjs/common'
import type { Env } from '../env.js'
import { PaymentChanges } from '../notifications/payment-changes.js'
import { DeliveriesWorker } from './deliveries.worker.js'
import { DeliveryCounts } from './delivery-counts.js'
import { DeliveryClaims } from './delivery-claims.js'
import { DeliveryMetrics } from './delivery-metrics.js'
import { DELIVERY_SCALE, DeliveryRunner } from './delivery-runner.js'
import { EndpointCare } from './endpoint-care.js'
import { NotificationSweeper, RETENTION_DAYS } from './notification-sweeper.js'
import { Pace } from './pace.js'

/** What delivers notifications. */
export function deliveryProviders(env: Env): Provider[] {
  return [
    PaymentChanges,
    DeliveryMetrics,
    DeliveryCounts,
    { provide: DELIVERY_SCALE, useValue: env.PROVIDER_TIME_SCALE },
    { provide: RETENTION_DAYS, useValue: env.NOTIFICATION_RETENTION_DAYS },
    { provide: Pace, useValue: new Pace(env.NOTIFICATIONS_PER_SECOND) },
    DeliveryClaims,
    DeliveryRunner,
    DeliveriesWorker,
    EndpointCare,
    NotificationSweeper,
  ]
}
