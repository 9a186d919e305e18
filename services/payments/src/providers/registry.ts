import type { Adapter } from './adapter.js'
import { airtelMoney } from './airtel-money/airtel-money.js'
import { manual } from './manual/manual.js'
import { mtnMomo } from './mtn-momo/mtn-momo.js'
import { standard } from './standard/standard.js'

/** Every adapter, in the order in which messages list them. */
export const ADAPTERS: readonly Adapter[] = [manual, standard, mtnMomo, airtelMoney]

export function adapterNamed(name: string): Adapter | undefined {
  return ADAPTERS.find((adapter) => adapter.name === name)
}
