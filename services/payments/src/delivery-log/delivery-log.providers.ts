import type { Provider, Type } from '@nestjs/common'
import { DeliveriesController } from './deliveries.controller.js'
import { DeliveryLog } from './delivery-log.service.js'
import { EndpointDeliveriesController } from './endpoint-deliveries.controller.js'
import { NotificationsController } from './notifications.controller.js'

export const DELIVERY_LOG_CONTROLLERS: Type[] = [
  DeliveriesController,
  NotificationsController,
  EndpointDeliveriesController,
]

export const DELIVERY_LOG_PROVIDERS: Provider[] = [DeliveryLog]
