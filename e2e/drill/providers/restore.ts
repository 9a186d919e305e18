import { setTimeout as sleep } from 'node:timers/promises'
import type { Book } from '../../charges/book.ts'
import type { Created } from '../../charges/driver.ts'
import { type PaymentRecord, readRecords, sentAttemptOf } from '../../charges/records.ts'
import { AS_IN_BOOK, chargedTwice, LEGAL, strangers } from '../../charges/rules.ts'
import { type Source, waitUntilStable } from '../install.ts'
import { installBackedUp, targetTimeOf } from '../restore.ts'
import { Runbook } from '../runbook.ts'
import { Charges, sql } from './charges.ts'
import type { Row } from './report.ts'
import { figuresOf } from './settling.ts'
import { installSimulator, paymentsValues } from './simulator.ts'

/** A restore to 5 minutes earlier under load, with the commands of docs/runbooks/restore.md. */

const BEFORE_MS = 60_000
const LOST_MS = 300_000
const CREATED_PER_SECOND = 8
/** Of each account, so that attempts wait to be sent at the target time. */
const SENT_PER_SECOND = 2
const COUNT = ((BEFORE_MS + LOST_MS) / 1_000) * CREATED_PER_SECOND
/** No provider is called for this long, although the services run. */
const UNRECOVERED_MS = 15_000
/** Payments that are created after the recovery. */
const COUNT_AFTER = 100

export async function installForRestore(source: Source) {
  await installSimulator(source)
  await installBackedUp(source, await paymentsValues(source, SENT_PER_SECOND))
}

export async function restoreCharges(source: Source): Promise<Row> {
  const page = new Runbook(source)
  page.variables.RECOVERY_ID = `restore-${Date.now()}`
  await page.run('back-up')
  const charges = new Charges('provider-restore')
  await charges.driver.prepare()
  const load = charges.driver.run(COUNT, CREATED_PER_SECOND)
  await sleep(BEFORE_MS)
  const target = Math.ceil(Date.now() / 1_000) * 1_000
  page.variables.TARGET_TIME = targetTimeOf(target)
  await sleep(target - Date.now())
  const states = await charges.states()
  await load
  const from = Date.now()
  await restore(page)
  const stableAt = await recover(page, charges)
  await charges.untilSettled()
  const after = await createAgain()
  const figures = await verify(charges, { target, from, stableAt })
  const title = `restore to 5 minutes earlier, with ${after} payments after it`
  return { title, states, faultMs: stableAt - from, ...figures }
}

async function restore(page: Runbook) {
  for (const step of ['archive', 'close', 'destroy', 'restore']) await page.run(step)
  page.variables.SINCE = new Date().toISOString()
  await page.run('end-sessions')
  await page.run('open')
  await waitUntilStable()
}

/** @returns when providers are called again. @throws Error if one was called before */
async function recover(page: Runbook, { book }: Charges): Promise<number> {
  await book.update()
  const before = book.requests
  await sleep(UNRECOVERED_MS)
  await book.update()
  if (book.requests !== before) throw new Error('payments were sent before the recovery')
  await page.run('recover')
  return Date.now()
}

/** Payments of after the recovery come to their ends as usual. */
async function createAgain(): Promise<number> {
  const charges = new Charges('provider-restored')
  await charges.driver.prepare()
  await charges.driver.run(COUNT_AFTER, CREATED_PER_SECOND)
  const stableAt = Date.now()
  await charges.untilSettled()
  const figures = figuresOf(await charges.records(), {
    book: charges.book,
    created: charges.driver.created,
    stableAt,
  })
  if (figures.payments === COUNT_AFTER && figures.late.length === 0) return COUNT_AFTER
  throw new Error(`${figures.payments} payments\n${figures.late.join('\n')}`)
}

interface Times {
  readonly target: number
  /** When the load had ended. */
  readonly from: number
  readonly stableAt: number
}

async function verify(charges: Charges, { target, from, stableAt }: Times) {
  const { driver, book } = charges
  await book.update()
  const [records, everything] = [await charges.records(), await readRecords(sql, 'all')]
  const evidence = { sql, book, records: everything, downtimes: [] }
  const problems = [
    ...driver.unexpected,
    ...lostOrLater(driver.created, records, target),
    ...strangers(everything, book)
      .filter(({ at }) => at < target)
      .map(({ key }) => `charged before the target time, without a payment: ${key}`),
    ...chargedTwice(book),
    ...records.flatMap((record) => sentAgain(record, book, from)),
  ]
  for (const rule of [AS_IN_BOOK, ...LEGAL]) problems.push(...(await rule.problems(evidence)))
  const figures = figuresOf(records, { book, created: driver.created, stableAt })
  problems.push(...figures.late)
  if (problems.length > 0) throw new Error(problems.slice(0, 100).join('\n'))
  return figures
}

/** Payments that were answered before the target time must exist, and those requested after it must not. */
function lostOrLater(
  created: readonly Created[],
  records: readonly PaymentRecord[],
  target: number,
): string[] {
  const restored = new Set(records.map(({ reference }) => reference))
  return created.flatMap(({ at, answeredAt, reference = '' }) => {
    const isRestored = restored.has(reference)
    if ((answeredAt ?? Infinity) < target && !isRestored) return [`lost: ${reference}`]
    return at >= target && isRestored ? [`created after the target time: ${reference}`] : []
  })
}

/** Requests for money after the load, or for a charge that existed. */
function sentAgain(record: PaymentRecord, book: Book, from: number): string[] {
  const { requestedAt, repeats } = sentAttemptOf(record, book)
  const isLater = requestedAt.some((at) => at > from)
  return repeats > 0 || isLater ? [`sent again after the restore: ${record.reference}`] : []
}
