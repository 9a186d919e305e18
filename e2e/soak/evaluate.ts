import { check } from '../checks.ts'
import type { Book } from '../charges/book.ts'
import type { Driver } from '../charges/driver.ts'
import { type PaymentRecord, readRecords } from '../charges/records.ts'
import { faults as faultsOf, RULES, wrongKeys } from '../charges/rules.ts'
import { FAULT_NAMES } from './fault-plan.ts'
import type { Faults } from './faults.ts'
import type { Platform } from './platform.ts'
import { COUNT } from './settings.ts'
import { isUndecided } from './settle.ts'

/** The rules that hold at the end of a run, each as a check. */

export interface Run {
  readonly platform: Platform
  readonly driver: Driver
  readonly faults: Faults
  readonly book: Book
  /** Payments that could still change when the run ended. */
  readonly unsettled: readonly PaymentRecord[]
}

export async function evaluate(run: Run): Promise<readonly PaymentRecord[]> {
  const { platform, driver, faults, book, unsettled } = run
  const { sql } = platform
  const records = await readRecords(sql, 'all')
  const evidence = { sql, book, records, downtimes: platform.simulator.downtimes }
  await check('every fault was injected', async () => {
    const missing = FAULT_NAMES.filter((name) => !faults.injected.has(name))
    none([...faults.problems, ...missing.map((name) => `${name}: not injected`)])
  })
  await check('no process ended by itself', async () =>
    none(platform.all.flatMap(({ unexpectedExits }) => unexpectedExits)),
  )
  await check('each key has one payment, which was the answer', async () => {
    none([...driver.unexpected, ...wrongKeys(driver, records)])
    if (records.length !== COUNT) throw new Error(`${records.length} payments instead of ${COUNT}`)
    return `${records.length} payments`
  })
  await check('every payment came to its end', async () => {
    const open = unsettled.filter((record) => !isUndecided(record, book))
    none(await faultsOf(evidence, open, () => 'the run did not end'))
  })
  for (const rule of RULES) {
    await check(rule.title, async () => none(await rule.problems(evidence)))
  }
  return records
}

/** @throws Error with the problems, if there are any */
function none(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(problems.slice(0, 200).join('\n'))
}
