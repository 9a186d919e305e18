import type { Provider } from '@nestjs/common'
import { Clients } from '../attempts/clients.js'
import { CALLBACK_ACCOUNTS, type CallbackAccounts } from './callback-accounts.js'
import { CallbackApplier } from './callback-applier.js'
import { CallbackMetrics } from './callback-metrics.js'
import { CALLBACK_STORE } from './callback-store.js'
import { CallbackGuard } from './callback.guard.js'
import { CallbacksService } from './callbacks.service.js'
import { CallbacksStore } from './callbacks.store.js'
import { ParkedCallbacks } from './parked-callbacks.js'

/** What receives the callbacks of providers. */
export const CALLBACK_PROVIDERS: Provider[] = [
  CallbackGuard,
  CallbackMetrics,
  CallbacksService,
  CallbackApplier,
  ParkedCallbacks,
  { provide: CALLBACK_STORE, useClass: CallbacksStore },
  { provide: CALLBACK_ACCOUNTS, inject: [Clients], useFactory: accountsOf },
]

/** The accounts in use; a callback is read with their current credentials. */
function accountsOf(clients: Clients): CallbackAccounts {
  return {
    names: () => clients.names,
    clientOf(name) {
      const found = clients.find(name)
      if (!found) return undefined
      const { account, adapter, client } = found
      const { capabilities } = adapter
      return {
        account: { ...account, credentials: [] },
        adapter: { capabilities, readCallback: (message) => client.readCallback(message) },
      }
    },
  }
}
