import { setTimeout as sleep } from 'node:timers/promises'
import { volumeLost } from '../faults/database.ts'
import type { Fault } from '../faults/fault.ts'
import { killed } from '../faults/killed.ts'
import { redisDeleted } from '../faults/pods.ts'
import { waitUntilStable, type Source } from '../install.ts'
import { Charges } from './charges.ts'
import type { Row } from './report.ts'
import { COUNT, PER_SECOND } from './settings.ts'
import { scaleSimulator } from './simulator.ts'

/** Faults while 1,000 payments are created at the simulator. */

const BEFORE_MS = 20_000
const SIMULATOR_GONE_MS = 120_000

const simulatorGone: Fault = {
  title: 'the simulator gone for two minutes',
  async inject() {
    await scaleSimulator(0)
    await sleep(SIMULATOR_GONE_MS)
    await scaleSimulator(1)
  },
}

export const PROVIDER_FAULTS: Readonly<Record<string, Fault>> = {
  'provider-killed': killed,
  'provider-primary-lost': volumeLost,
  'provider-redis': redisDeleted,
  'provider-gone': simulatorGone,
}

/** Injects a fault, and waits until all payments are settled. @throws Error with the rules that do not hold */
export async function measureCharges(name: string, fault: Fault, source: Source): Promise<Row> {
  const charges = new Charges(name)
  await charges.driver.prepare()
  const load = charges.driver.run(COUNT, PER_SECOND)
  await sleep(BEFORE_MS)
  const states = await charges.states()
  const from = Date.now()
  await fault.inject(source)
  if (fault === simulatorGone) charges.downtimes.push({ from, to: Date.now() })
  await waitUntilStable()
  const stableAt = Date.now()
  await load
  await charges.untilSettled()
  const figures = await charges.verified({ stableAt })
  return { title: fault.title, states, faultMs: stableAt - from, ...figures }
}
