import { setTimeout as sleep } from 'node:timers/promises'
import { volumeLost } from '../faults/database.ts'
import type { Fault } from '../faults/fault.ts'
import { killed } from '../faults/killed.ts'
import { upgrade } from '../faults/rolling.ts'
import { waitUntilStable, type Source } from '../install.ts'
import { Charges } from '../providers/charges.ts'
import { COUNT, PER_SECOND } from '../providers/settings.ts'
import { Merchants } from './merchants.ts'
import { figuresOf, type Row } from './report.ts'

/** Faults while the events of 1,000 payments are notified. */

const BEFORE_MS = 20_000

export const NOTIFICATION_FAULTS: Readonly<Record<string, Fault>> = {
  'notification-rolling': upgrade,
  'notification-killed': killed,
  'notification-primary-lost': volumeLost,
}

/** Injects a fault, and waits until the notifications have arrived. @throws Error with the rules that do not hold */
export async function measureNotifications(
  name: string,
  fault: Fault,
  source: Source,
): Promise<Row> {
  const charges = new Charges(name)
  await charges.driver.prepare()
  const merchants = new Merchants(charges, name)
  await merchants.create(['accepts', 'failsFirst', 'neverAccepts'])
  const load = charges.driver.run(COUNT, PER_SECOND)
  await sleep(BEFORE_MS)
  const from = Date.now()
  await fault.inject(source)
  await waitUntilStable()
  const faultMs = Date.now() - from
  await load
  await charges.untilSettled()
  await merchants.untilSettled()
  const evidence = await merchants.verified()
  return { title: fault.title, faultMs, ...figuresOf(evidence) }
}
