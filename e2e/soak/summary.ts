import { table } from '../drill/docs-page.ts'
import type { Book } from '../charges/book.ts'
import type { Created } from '../charges/driver.ts'
import type { FaultName } from './fault-plan.ts'
import type { PaymentRecord } from '../charges/records.ts'

/** The figures of a run, in Markdown. */

const ENDS = [
  'SUCCESS',
  'FAILED',
  'FAILED, paid late',
  'PENDING, flagged',
  'PENDING, queried',
] as const

function endOf({ status, hasLateSuccess, needsAttention }: PaymentRecord): (typeof ENDS)[number] {
  if (status === 'SUCCESS') return 'SUCCESS'
  if (status === 'FAILED') return hasLateSuccess ? 'FAILED, paid late' : 'FAILED'
  return needsAttention ? 'PENDING, flagged' : 'PENDING, queried'
}

/** How many payments of each personality have which end. */
export function outcomes(records: readonly PaymentRecord[], book: Book): string {
  const personalityOf = ({ adapter, attemptReference }: PaymentRecord) => {
    const charge = book.find(adapter, attemptReference)
    if (charge) return charge.personality
    return book.rejectedAt(adapter, attemptReference).length > 0 ? 'refused' : 'not received'
  }
  const groups = Map.groupBy(records, personalityOf)
  const rows = [...groups]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([name, own]) => [name, ...counts(own)])
  return table(['personality', ...ENDS], [...rows, ['all', ...counts(records)]])
}

function counts(records: readonly PaymentRecord[]): string[] {
  return ENDS.map((end) => String(records.filter((record) => endOf(record) === end).length || ''))
}

export function faultTable(injected: ReadonlyMap<FaultName, number>): string {
  const rows = [...injected].map(([name, times]) => [name, String(times)])
  return table(['fault', 'times'], rows)
}

/** The time from the first request of a create to the final status, and what ended the attempts. */
export function settling(records: readonly PaymentRecord[], created: readonly Created[]): string {
  const createdAt = new Map(created.map(({ planned, at }) => [planned.key, at]))
  const times = records
    .flatMap(({ key, finalAt }) => {
      const at = createdAt.get(key ?? '')
      return finalAt === null || at === undefined ? [] : [finalAt - at]
    })
    .toSorted((a, b) => a - b)
  const percentile = (part: number) => seconds(times[Math.ceil(times.length * part) - 1] ?? 0)
  const final = records.filter(({ finalAt }) => finalAt !== null)
  const causes = Map.groupBy(final, ({ events }) => events.find(isClosing)?.cause ?? 'none')
  const byCause = [...causes]
    .map(([cause, own]) => `${cause} ${own.length}`)
    .toSorted()
    .join(', ')
  const withCallback = final.filter(({ callbacks }) => callbacks > 0).length
  return (
    `From the first request to the final status: p50 ${percentile(0.5)}, p99 ${percentile(0.99)}. ` +
    `Attempts ended by: ${byCause}. ` +
    `A callback was stored for ${withCallback} of ${final.length} final payments.`
  )
}

const CLOSED: readonly string[] = ['succeeded', 'declined', 'not_sent']

function isClosing({ from, to }: PaymentRecord['events'][number]): boolean {
  return from !== to && CLOSED.includes(to)
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
