import { setDefaultRegion } from '@malipo/kit/http/contact'
import { KitModule } from '@malipo/kit/kit.module'
import { versionOf } from '@malipo/kit/bootstrap'
import { type DynamicModule, Module } from '@nestjs/common'
import { attemptProviders } from './attempts/attempts.providers.js'
import { CALLBACK_ACCOUNTS, NO_CALLBACK_ACCOUNTS } from './callbacks/callback-accounts.js'
import { CallbackApplier } from './callbacks/callback-applier.js'
import { CallbackGuard } from './callbacks/callback.guard.js'
import { callbackKeys } from './callbacks/callback-keys.js'
import { CallbackMetrics } from './callbacks/callback-metrics.js'
import { CALLBACK_STORE } from './callbacks/callback-store.js'
import { CallbacksController } from './callbacks/callbacks.controller.js'
import { CallbacksService } from './callbacks/callbacks.service.js'
import { callerProviders } from './caller/caller.providers.js'
import { REDIS_TIMEOUT_MS } from './caller/shared-token-cache.js'
import { dataSource } from './data-source.js'
import type { Env } from './env.js'
import { KeySweeper } from './idempotency/key-sweeper.js'
import { PaymentMetrics } from './payments/payment-metrics.js'
import { PaymentsController } from './payments/payments.controller.js'
import { PaymentsService } from './payments/payments.service.js'
import { PaymentTotals } from './totals/payment-totals.js'
import { REDIS_ACCESS } from './redis-access.js'
import { PROVIDER_SECRETS, WebhookGuard } from './webhooks/webhook.guard.js'
import { AccountWebhooks } from './webhooks/account-webhooks.js'
import { MODE, WebhooksController } from './webhooks/webhooks.controller.js'
import { WebhookMetrics, WebhooksService } from './webhooks/webhooks.service.js'

@Module({})
export class AppModule {
  static readonly about = {
    name: 'payments',
    title: 'Malipo payments',
    description: 'Payments with guarded transitions, and provider webhooks.',
    version: versionOf(import.meta.url),
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
      controllers: [WebhooksController, CallbacksController, PaymentsController],
      providers: [
        PaymentsService,
        PaymentMetrics,
        WebhooksService,
        WebhookMetrics,
        AccountWebhooks,
        ...attemptProviders(env),
        { provide: MODE, useValue: env.MODE },
        KeySweeper,
        ...callerProviders(env),
        WebhookGuard,
        callbackKeys(env),
        CallbackGuard,
        CallbackMetrics,
        CallbacksService,
        CallbackApplier,
        { provide: CALLBACK_ACCOUNTS, useValue: NO_CALLBACK_ACCOUNTS },
        // Without accounts, no callback passes the guard.
        { provide: CALLBACK_STORE, useValue: {} },
        PaymentTotals,
        { provide: PROVIDER_SECRETS, useValue: env.providerSecrets },
      ],
    }
  }
}
