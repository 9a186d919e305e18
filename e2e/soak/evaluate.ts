import { ILLEGAL_HISTORIES } from '@malipo/testing/illegal-histories'
import { check } from '../checks.ts'
import type { Book } from './book.ts'
import type { Driver } from './driver.ts'
import { FAULT_NAMES } from './fault-plan.ts'
import type { Faults } from './faults.ts'
import type { Platform } from './platform.ts'
import { historyOf, type PaymentRecord, readRecords, sentAttemptOf } from './records.ts'
import { resendOf } from './requests.ts'
import { COUNT } from './settings.ts'
import { isUndecided } from './settle.ts'
import { faultOf } from './verdict.ts'

/** The rules that hold at the end of a run, each as a check. */

export interface Run {
  readonly platform: Platform
  readonly driver: Driver
  readonly faults: Faults
  readonly book: Book
  /** Payments that could still change when the run ended. */
  readonly unsettled: readonly PaymentRecord[]
}

/** Histories that are printed of each rule that does not hold. */
const EXAMPLES = 3

export async function evaluate(run: Run): Promise<readonly PaymentRecord[]> {
  const { platform, driver, faults, book, unsettled } = run
  const records = await readRecords(platform.servers, 'all')
  await check('every fault was injected', async () => {
    const missing = FAULT_NAMES.filter((name) => !faults.injected.has(name))
    none([...faults.problems, ...missing.map((name) => `${name}: not injected`)])
  })
  await check('no process ended by itself', async () =>
    none(platform.all.flatMap(({ unexpectedExits }) => unexpectedExits)),
  )
  await check('each key has one payment, which was the answer', async () => {
    none([...driver.unexpected, ...wrongKeys(driver, records)])
    return `${records.length} payments`
  })
  await check('every payment came to its end', () =>
    noFaults(run, unsettled, (record) =>
      isUndecided(record, book) ? undefined : 'the run did not end',
    ),
  )
  await check('every payment is what the book says', () =>
    noFaults(run, records, (record) =>
      faultOf(record, book.factsOf(record.adapter, record.attemptReference)),
    ),
  )
  for (const [name, text] of Object.entries(ILLEGAL_HISTORIES)) {
    await check(`not found: ${name}`, async () => {
      const json = `SELECT row_to_json(found)::text FROM (${text}) AS found`
      none(await platform.servers.sql('payments', json))
    })
  }
  await check('no payment was sent again that may have been sent', () =>
    noFaults(run, records, (record) =>
      resendOf(sentAttemptOf(record, book), platform.simulator.downtimes),
    ),
  )
  await check('no payment was charged twice, and no charge is without its payment', async () =>
    none(wrongCharges(records, book)),
  )
  return records
}

function wrongKeys(driver: Driver, records: readonly PaymentRecord[]): string[] {
  const byKey = Map.groupBy(records, ({ key }) => key)
  const problems = driver.created.flatMap(({ planned: { key }, reference }) => {
    if (reference === undefined) return [`${key} was never answered`]
    const own = byKey.get(key) ?? []
    if (own.length === 1 && own[0]?.reference === reference) return []
    const found = own.map((record) => record.reference).join(', ')
    return [`${key} was answered with ${reference}, and has ${found || 'none'}`]
  })
  if (records.length !== COUNT) problems.push(`${records.length} payments instead of ${COUNT}`)
  return problems
}

function wrongCharges(records: readonly PaymentRecord[], book: Book): string[] {
  const ofReference = new Map(
    records.map((record) => [`${record.adapter} ${record.attemptReference}`, record.reference]),
  )
  const strangers = book.rejected.filter((key) => !ofReference.has(key))
  const charges = Map.groupBy(book.entries, ({ paymentReference }) => paymentReference)
  return [
    ...strangers.map((key) => `no payment has the reference of the rejected request ${key}`),
    ...book.entries
      .filter(
        ({ provider, reference, paymentReference }) =>
          ofReference.get(`${provider} ${reference}`) !== paymentReference,
      )
      .map((charge) => `no payment has the charge ${JSON.stringify(charge)}`),
    ...[...charges]
      .filter(([, own]) => own.length > 1)
      .map(([reference, own]) => `${reference} has the charges ${JSON.stringify(own)}`),
  ]
}

async function noFaults(
  { platform, book }: Run,
  records: readonly PaymentRecord[],
  faultOfRecord: (record: PaymentRecord) => string | undefined,
): Promise<void> {
  const found = records.flatMap((record) => {
    const fault = faultOfRecord(record)
    return fault === undefined ? [] : [{ record, fault }]
  })
  const lines: string[] = []
  for (const [n, { record, fault }] of found.entries()) {
    lines.push(`${record.reference} (${record.account}): ${fault}`)
    if (n < EXAMPLES) lines.push(await historyOf(platform.servers, record, book))
  }
  none(lines)
}

/** @throws Error with the problems, if there are any */
function none(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(problems.slice(0, 200).join('\n'))
}
