import { setTimeout as sleep } from 'node:timers/promises'
import { unexpectedAlerts } from './alerts.ts'
import { differences } from './checker.ts'
import type { Clients } from './clients.ts'
import type { Fault } from './faults/fault.ts'
import { type Entry, allAttemptsFailed, firstAttemptFailed, type Journal } from './journal.ts'
import type { LogoutStats } from './logouts.ts'
import { type Source, waitUntilStable } from './install.ts'
import { readRecords } from './records.ts'
import { psql } from './release.ts'

/** Measurements of a fault under load, from its injection until the platform is stable again. */
export interface Measurement {
  readonly title: string
  readonly requests: number
  readonly failed: number
  readonly failedAfterRetry: number
  readonly longestMs: number
  /** The longest time between two responses to the serial writer. */
  readonly writeGapMs: number
  readonly stableAfterMs: number
  readonly logouts: LogoutStats
  readonly problems: string[]
  readonly passed: boolean
}

const MARGIN_MS = 3_000

export async function measure(
  fault: Fault,
  { journal, logouts }: Clients,
  source: Source,
): Promise<Measurement> {
  const from = Date.now()
  await sleep(MARGIN_MS)
  const began = Date.now()
  await fault.inject(source)
  await waitUntilStable()
  const stableAfterMs = Date.now() - began
  await sleep(MARGIN_MS)
  const to = Date.now()
  await waitForResponses(journal, to)
  const logoutStats = logouts.between(from, to)
  const measurement = figures(fault, journal.between(from, to), stableAfterMs)
  const others = [...logoutStats.problems, ...(await unexpectedAlerts(fault, began))]
  const problems = [...measurement.problems, ...others]
  return {
    ...measurement,
    logouts: logoutStats,
    problems,
    passed: measurement.passed && others.length === 0,
  }
}

function figures(
  fault: Fault,
  entries: Entry[],
  stableAfterMs: number,
): Omit<Measurement, 'logouts'> {
  const failed = entries.filter(firstAttemptFailed)
  const failedAfterRetry = entries.filter(allAttemptsFailed)
  const times = entries.flatMap(({ attempts }) => attempts.map(({ ms }) => ms))
  return {
    title: fault.title,
    requests: entries.length,
    failed: failed.length,
    failedAfterRetry: failedAfterRetry.length,
    longestMs: Math.max(...times),
    writeGapMs: writeGap(entries),
    stableAfterMs,
    problems: (fault.interruptsRequests ? failedAfterRetry : failed)
      .slice(0, 10)
      .map(describeFailure),
    passed:
      entries.length > 0 && (fault.interruptsRequests ? failedAfterRetry : failed).length === 0,
  }
}

/** Compares all responses so far with the databases; a difference fails the measurement. */
export async function verified(
  measurement: Measurement,
  journal: Journal,
  owner: string,
): Promise<Measurement> {
  const answered = [...journal.entries]
  const found = differences(answered, journal.sent, await readRecords(owner, psql))
  const problems = [...measurement.problems, ...found.slice(0, 10)]
  return { ...measurement, problems, passed: measurement.passed && found.length === 0 }
}

function writeGap(entries: Entry[]): number {
  const ends = entries
    .filter((entry) => entry.operation.isSerialWriter && !allAttemptsFailed(entry))
    .map(({ attempts }) => (attempts.at(-1)?.at ?? 0) + (attempts.at(-1)?.ms ?? 0))
    .toSorted((a, b) => a - b)
  return Math.max(0, ...ends.slice(1).map((end, i) => end - (ends[i] ?? end)))
}

export function describeFailure({ operation, attempts }: Entry): string {
  const responses = attempts.map(({ at, ms, status, body }) => {
    const text = JSON.stringify(body)?.slice(0, 200)
    return `${new Date(at).toISOString()} ${status} after ${ms} ms ${text}`
  })
  return `${operation.kind} ${operation.request.path}: ${responses.join('; then ')}`
}

const RESPONSES_WITHIN_MS = 90_000

/** Waits until all operations sent before `to` are answered, since only then they are in the journal. */
async function waitForResponses(journal: Journal, to: number) {
  for (const end = Date.now() + RESPONSES_WITHIN_MS; Date.now() < end; await sleep(100)) {
    if (journal.oldestInFlight() > to) return
  }
}
