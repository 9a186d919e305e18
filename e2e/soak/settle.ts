import { setTimeout as sleep } from 'node:timers/promises'
import type { Book } from '../charges/book.ts'
import type { Platform } from './platform.ts'
import { type PaymentRecord, readRecords } from '../charges/records.ts'
import { END_LIMIT_MS, FLAG_LIMIT_MS } from './settings.ts'
import { demandOf, isSettled } from '../charges/verdict.ts'

const POLL_MS = 2_000

/**
 * Waits until nothing in the book can change a payment any more, or until END_LIMIT_MS have passed.
 *
 * @returns the payments that can still change
 */
export async function untilSettled(
  platform: Platform,
  book: Book,
): Promise<readonly PaymentRecord[]> {
  const endsAt = Date.now() + END_LIMIT_MS
  // When only charges were left that no payer decides.
  let decidedAt = Infinity
  let reported = ''
  for (;;) {
    const open = await unsettled(platform, book)
    const undecided = open.filter((record) => isUndecided(record, book))
    const others = open.length - undecided.length
    decidedAt = others === 0 ? Math.min(decidedAt, Date.now()) : Infinity
    const report = `waiting for ${others} payments, and ${undecided.length} that no payer decides`
    if (report !== reported) console.log(report)
    reported = report
    const isFlagged = undecided.length === 0 || Date.now() >= decidedAt + FLAG_LIMIT_MS
    if (others === 0 && isFlagged) return undecided
    if (Date.now() > endsAt) return open
    await sleep(POLL_MS)
  }
}

async function unsettled({ sql }: Platform, book: Book): Promise<readonly PaymentRecord[]> {
  await book.update()
  const records = await readRecords(sql, 'open')
  return records.filter(
    (record) => !isSettled(record, book.factsOf(record.adapter, record.attemptReference)),
  )
}

export function isUndecided({ adapter, attemptReference }: PaymentRecord, book: Book): boolean {
  const charge = book.find(adapter, attemptReference)
  return charge !== undefined && demandOf(charge) === 'open'
}
