import { observableGauge } from '@malipo/kit/telemetry/metrics'
import type { Registry } from 'prom-client'
import type { ProviderAccount } from './accounts.js'
import { adapterNamed } from './registry.js'

/**
 * Exports one series for each account in use, so that alerts and dashboards can select accounts.
 *
 * @param accounts those in use at the time of the scrape
 */
export function registerAccountInfo(
  registry: Registry,
  accounts: () => readonly ProviderAccount[],
): void {
  const options = {
    name: 'provider_account_info',
    help: 'Always 1; its labels name the adapter and the state of an account, and whether its provider sends callbacks (yes, no)',
    labelNames: ['account' as const, 'adapter' as const, 'state' as const, 'callbacks' as const],
  }
  observableGauge(registry, options, (gauge) => {
    gauge.reset()
    for (const account of accounts()) {
      const { name, adapter, state } = account
      const callbacks = hasCallbacks(account) ? 'yes' : 'no'
      gauge.set({ account: name, adapter, state, callbacks }, 1)
    }
  })
}

/** The URL of an account is set at the provider; every other one is part of the request for money. */
function hasCallbacks({ adapter, callbackOrigin }: ProviderAccount): boolean {
  const url = adapterNamed(adapter)?.capabilities.callback.url ?? 'none'
  return url === 'account' || (url !== 'none' && callbackOrigin !== undefined)
}
