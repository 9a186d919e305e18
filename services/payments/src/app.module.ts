import { setDefaultRegion } from '@malipo/kit/http/contact'
import { KitModule } from '@malipo/kit/kit.module'
import { versionOf } from '@malipo/kit/bootstrap'
import { type DynamicModule, Module } from '@nestjs/common'
import { attemptProviders } from './attempts/attempts.providers.js'
import { callbackKeys } from './providers/callback-keys.js'
import { CALLBACK_PROVIDERS } from './callbacks/callbacks.providers.js'
import { CallbacksController } from './callbacks/callbacks.controller.js'
import { deliveryProviders } from './deliveries/deliveries.providers.js'
import {
  DELIVERY_LOG_CONTROLLERS,
  DELIVERY_LOG_PROVIDERS,
} from './delivery-log/delivery-log.providers.js'
import { callerProviders } from './caller/caller.providers.js'
import { REDIS_TIMEOUT_MS } from './caller/shared-token-cache.js'
import { dataSource } from './data-source.js'
import { egressProviders } from './egress/egress.providers.js'
import type { Env } from './env.js'
import { EventFeedController } from './event-feed/event-feed.controller.js'
import { KeySweeper } from './idempotency/key-sweeper.js'
import { MethodsController } from './methods/methods.controller.js'
import { EVENT_WEBHOOKS } from './deliveries/event.docs.js'
import { EVENT_MODELS } from './deliveries/event.dto.js'
import { OperatorActionsController } from './operator-actions/operator-actions.controller.js'
import { OperatorActions } from './operator-actions/operator-actions.service.js'
import { OPERATOR_CONTROLLERS, OPERATOR_PROVIDERS } from './operators/operators.providers.js'
import { AwaitedPayments } from './payments/awaited-payments.js'
import { OwnerReads } from './payments/owner-reads.js'
import { PaymentMetrics } from './payments/payment-metrics.js'
import { PaymentsController } from './payments/payments.controller.js'
import { PaymentsService } from './payments/payments.service.js'
import { PaymentTotals } from './totals/payment-totals.js'
import { REDIS_ACCESS } from './redis-access.js'
import { paymentWaits } from './waits/payment-waits.js'
import { PROVIDER_SECRETS, WebhookGuard } from './webhooks/webhook.guard.js'
import { AccountWebhooks } from './webhooks/account-webhooks.js'
import { WebhookEndpointsController } from './webhook-endpoints/webhook-endpoints.controller.js'
import { endpointProviders } from './webhook-endpoints/webhook-endpoints.providers.js'
import { MODE, WebhooksController } from './webhooks/webhooks.controller.js'
import { WebhookMetrics, WebhooksService } from './webhooks/webhooks.service.js'

@Module({})
export class AppModule {
  static readonly about = {
    name: 'payments',
    title: 'Malipo payments',
    description: 'Payments with guarded transitions, and provider webhooks.',
    version: versionOf(import.meta.url),
    webhooks: { operations: EVENT_WEBHOOKS, models: EVENT_MODELS },
  }

  static readonly exposedHeaders = ['Idempotent-Replayed']

  static with(env: Env): DynamicModule {
    setDefaultRegion(env.DEFAULT_REGION)
    return {
      module: AppModule,
      imports: [
        KitModule.with('payments', env, dataSource, {
          access: REDIS_ACCESS,
          waitMs: REDIS_TIMEOUT_MS,
        }),
      ],
      controllers: [
        WebhooksController,
        CallbacksController,
        MethodsController,
        PaymentsController,
        WebhookEndpointsController,
        ...DELIVERY_LOG_CONTROLLERS,
        EventFeedController,
        OperatorActionsController,
        ...OPERATOR_CONTROLLERS,
      ],
      providers: [
        PaymentsService,
        PaymentMetrics,
        AwaitedPayments,
        OwnerReads,
        paymentWaits(env),
        WebhooksService,
        WebhookMetrics,
        AccountWebhooks,
        ...deliveryProviders(env),
        ...DELIVERY_LOG_PROVIDERS,
        ...attemptProviders(env),
        ...endpointProviders(env),
        OperatorActions,
        ...OPERATOR_PROVIDERS,
        { provide: MODE, useValue: env.MODE },
        KeySweeper,
        ...callerProviders(env),
        WebhookGuard,
        callbackKeys(env),
        ...egressProviders(env),
        ...CALLBACK_PROVIDERS,
        PaymentTotals,
        { provide: PROVIDER_SECRETS, useValue: env.providerSecrets },
      ],
    }
  }
}
