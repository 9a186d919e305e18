import { ILLEGAL_HISTORIES } from '@malipo/testing/illegal-histories'
import type { Book } from './book.ts'
import type { Driver } from './driver.ts'
import { historyOf, type PaymentRecord, sentAttemptOf, type Sql } from './records.ts'
import { type Downtime, resendOf } from './requests.ts'
import { faultOf } from './verdict.ts'

/** The rules that hold once payments have come to their end, whatever failed before. */

export interface Evidence {
  readonly sql: Sql
  readonly book: Book
  readonly records: readonly PaymentRecord[]
  /** Those of the simulator. */
  readonly downtimes: readonly Downtime[]
}

export interface Rule {
  readonly title: string
  /** What violates the rule. */
  problems(evidence: Evidence): Promise<readonly string[]>
}

/** Histories that are printed of each rule that does not hold. */
const EXAMPLES = 3

export const AS_IN_BOOK: Rule = {
  title: 'every payment is what the book says',
  problems: (evidence) =>
    faults(evidence, evidence.records, (record) =>
      faultOf(record, evidence.book.factsOf(record.adapter, record.attemptReference)),
    ),
}

export const LEGAL: readonly Rule[] = Object.entries(ILLEGAL_HISTORIES).map(([name, text]) => ({
  title: `not found: ${name}`,
  problems: ({ sql }) => sql(`SELECT row_to_json(found)::text FROM (${text}) AS found`),
}))

export const NOT_RESENT: Rule = {
  title: 'no payment was sent again that may have been sent',
  problems: (evidence) =>
    faults(evidence, evidence.records, (record) =>
      resendOf(sentAttemptOf(record, evidence.book), evidence.downtimes),
    ),
}

export const CHARGED_ONCE: Rule = {
  title: 'no payment was charged twice, and no charge is without its payment',
  problems: async ({ records, book }) => [
    ...strangers(records, book).map(
      ({ key }) => `no payment has the reference of the request ${key}`,
    ),
    ...chargedTwice(book),
  ],
}

export const RULES: readonly Rule[] = [AS_IN_BOOK, ...LEGAL, NOT_RESENT, CHARGED_ONCE]

/** The requests for money in the book that belong to none of the payments. */
export function strangers(
  records: readonly PaymentRecord[],
  book: Book,
): readonly { readonly key: string; readonly at: number }[] {
  const ofReference = new Map(
    records.map((record) => [`${record.adapter} ${record.attemptReference}`, record.reference]),
  )
  const charges = book.entries.filter(
    ({ provider, reference, paymentReference }) =>
      ofReference.get(`${provider} ${reference}`) !== paymentReference,
  )
  return [
    ...book.rejected.filter(({ key }) => !ofReference.has(key)),
    ...charges.map((charge) => ({ key: JSON.stringify(charge), at: charge.acceptedAt })),
  ]
}

/** Payments that have more than one charge. */
export function chargedTwice(book: Book): string[] {
  const charges = Map.groupBy(book.entries, ({ paymentReference }) => paymentReference)
  return [...charges]
    .filter(([, own]) => own.length > 1)
    .map(([reference, own]) => `${reference} has the charges ${JSON.stringify(own)}`)
}

/** Keys that do not have exactly the payment that was the answer. */
export function wrongKeys(driver: Driver, records: readonly PaymentRecord[]): string[] {
  const byKey = Map.groupBy(records, ({ key }) => key)
  const problems = driver.created.flatMap(({ planned: { key }, reference }) => {
    if (reference === undefined) return [`${key} was never answered`]
    const own = byKey.get(key) ?? []
    if (own.length === 1 && own[0]?.reference === reference) return []
    const found = own.map((record) => record.reference).join(', ')
    return [`${key} was answered with ${reference}, and has ${found || 'none'}`]
  })
  const count = driver.created.length
  if (records.length !== count) problems.push(`${records.length} payments instead of ${count}`)
  return problems
}

/** The records with a fault, and the histories of some. */
export async function faults(
  { sql, book }: Evidence,
  records: readonly PaymentRecord[],
  faultOfRecord: (record: PaymentRecord) => string | undefined,
): Promise<string[]> {
  const found = records.flatMap((record) => {
    const fault = faultOfRecord(record)
    return fault === undefined ? [] : [{ record, fault }]
  })
  const lines: string[] = []
  for (const [n, { record, fault }] of found.entries()) {
    lines.push(`${record.reference} (${record.account}): ${fault}`)
    if (n < EXAMPLES) lines.push(await historyOf(sql, record, book))
  }
  return lines
}
