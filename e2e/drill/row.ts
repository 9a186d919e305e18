import { setTimeout as sleep } from 'node:timers/promises'
import { unexpected } from './alerts.ts'
import { differences } from './checker.ts'
import type { Clients } from './clients.ts'
import type { Fault } from './faults/fault.ts'
import { type Entry, failedAgain, failedAtFirst, type Journal } from './journal.ts'
import type { Leaving } from './leavers.ts'
import { type Source, steady } from './platform.ts'
import { readRecords } from './records.ts'

/** A fault under load, from its beginning until everything is as before, in figures. */
export interface Row {
  readonly what: string
  readonly requests: number
  readonly failed: number
  readonly failedAgain: number
  readonly longestMs: number
  /** The longest time between two answers to the one client that writes without a pause. */
  readonly gapMs: number
  readonly steadyAfterMs: number
  readonly leaving: Leaving
  readonly problems: string[]
  readonly passed: boolean
}

const CALM_MS = 3_000

export async function measure(
  fault: Fault,
  { journal, leavers }: Clients,
  source: Source,
): Promise<Row> {
  const from = Date.now()
  await sleep(CALM_MS)
  const began = Date.now()
  await fault.happen(source)
  await steady()
  const steadyAfterMs = Date.now() - began
  await sleep(CALM_MS)
  const to = Date.now()
  await answered(journal, to)
  const leaving = leavers.between(from, to)
  const row = figures(fault, journal.between(from, to), steadyAfterMs)
  const others = [...leaving.problems, ...(await unexpected(fault, began))]
  const problems = [...row.problems, ...others]
  return { ...row, leaving, problems, passed: row.passed && others.length === 0 }
}

function figures(fault: Fault, entries: Entry[], steadyAfterMs: number): Omit<Row, 'leaving'> {
  const failed = entries.filter(failedAtFirst)
  const again = entries.filter(failedAgain)
  const times = entries.flatMap(({ tries }) => tries.map(({ ms }) => ms))
  return {
    what: fault.what,
    requests: entries.length,
    failed: failed.length,
    failedAgain: again.length,
    longestMs: Math.max(...times),
    gapMs: writeGap(entries),
    steadyAfterMs,
    problems: (fault.cutsOff ? again : failed).slice(0, 10).map(told),
    passed: entries.length > 0 && (fault.cutsOff ? again : failed).length === 0,
  }
}

/** Compares everything that clients saw so far with the databases; a row that differs has not passed. */
export async function checked(row: Row, journal: Journal, owner: string): Promise<Row> {
  const answered = [...journal.entries]
  const found = differences(answered, journal.sent, await readRecords(owner))
  const problems = [...row.problems, ...found.slice(0, 10)]
  return { ...row, problems, passed: row.passed && found.length === 0 }
}

function writeGap(entries: Entry[]): number {
  const ends = entries
    .filter((entry) => entry.wish.writer && !failedAgain(entry))
    .map(({ tries }) => (tries.at(-1)?.at ?? 0) + (tries.at(-1)?.ms ?? 0))
    .toSorted((a, b) => a - b)
  return Math.max(0, ...ends.slice(1).map((end, i) => end - (ends[i] ?? end)))
}

function told({ wish, tries }: Entry): string {
  const came = tries.map(({ at, ms, status, body }) => {
    const text = JSON.stringify(body)?.slice(0, 200)
    return `${new Date(at).toISOString()} ${status} after ${ms} ms ${text}`
  })
  return `${wish.kind} ${wish.call.path}: ${came.join('; then ')}`
}

const ANSWERED_WITHIN_MS = 90_000

/** A journal has an entry once it is answered: waits for those of before `to`. */
async function answered(journal: Journal, to: number) {
  for (const end = Date.now() + ANSWERED_WITHIN_MS; Date.now() < end; await sleep(100)) {
    if (journal.oldestOpen() > to) return
  }
}
