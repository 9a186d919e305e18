import { differences } from '../drill/checker.ts'
import { readRecords } from '../drill/records.ts'
import type { Cell } from './cell.ts'
import type { Clients } from './clients.ts'
import type { Sample } from './journal.ts'
import { type Platform, SIDES } from './platform.ts'
import type { RevokedUse, Session } from './sessions.ts'

/** Judges a cell: the responses, the log and the databases. */

export interface Measurement {
  readonly name: string
  readonly requests: number
  readonly worstMs: number
  /** 503 with `Retry-After`. */
  readonly unavailable: number
  /** Any other response than that or the expected one, or none. */
  readonly wrong: number
  readonly lost: number
  readonly doubled: number
  readonly outOfOrder: number
  readonly revokedUses: number
  readonly revokedAccepted: number
  readonly validRefused: number
  readonly recoveryMs: number
  readonly hasRecovered: boolean
  readonly connectionRate: number
  /** Of the replica with the most. */
  readonly warnings: number
  /** A line for each rule that does not hold, with examples. */
  readonly problems: readonly string[]
}

/** Every answer arrives this long after its deadline at the latest. */
const MARGIN_MS = 500
const RECOVERY_LIMIT_MS = 2_000
const REVOKED_WITHIN_MS = 1_000
const LINES_PER_OUTAGE = 2
/** One probe at a time of a pool, and one per second of each client of Redis, stay below this. */
const CONNECTION_RATE_LIMIT = 10
/** A response that takes longer shows that the outage still has an effect. */
const SLOW_MS = 1_000
const EXAMPLES = 4

/** A run of a cell. */
export interface StartedRun {
  readonly platform: Platform
  readonly cell: Cell
  readonly waitMs: number
  readonly clients: Clients
  readonly began: number
}

/** A run after its last response. */
export interface Run extends StartedRun {
  readonly repairedAt: number
  readonly recoveryMs: number
  /**
   * Connections that replica A opened to one server, per second. Each time that the server fails counts as a further
   * second, in which a replica may replace all its connections.
   */
  readonly connectionRate: number
  /** The outages whose end no replica has logged. */
  readonly ongoing: readonly string[]
}

export async function evaluate(run: Run): Promise<Measurement> {
  const { cell, waitMs, clients, repairedAt, recoveryMs, connectionRate } = run
  const { samples } = clients.journal
  const { revokedUses } = clients.sessions
  const by = (verdict: Sample['verdict']) => samples.filter((sample) => sample.verdict === verdict)
  const [busy, wrong, refused] = [by('busy'), by('wrong'), by('refused')]
  const data = await differencesInDatabase(run)
  const accepted = revokedUses.filter((use) => use.accepted && use.afterMs > REVOKED_WITHIN_MS)
  const late = samples.filter(({ ms }) => ms > waitMs + MARGIN_MS)
  const control = [...busy, ...wrong].filter(({ side }) => cell.onlyA && side === 'B')
  const hasRecovered = recoveryMs <= RECOVERY_LIMIT_MS
  const afterwards = samples.filter((sample) => sample.at > repairedAt && isBad(sample))
  const warnings = warningsOf(run)
  const problems = [
    ...problem('answered after the deadline and 500 ms', late.map(describe)),
    ...problem('neither as expected nor 503 with Retry-After', wrong.map(describe)),
    ...problem('503 although no request may fail', cell.served ? busy.map(describe) : []),
    ...problem('failed on the control replica', control.map(describe)),
    ...problem('lost', data.lost),
    ...problem('doubled', data.doubled),
    ...problem('out of order or different', data.outOfOrder),
    ...problem('revoked token accepted', accepted.map(describeUse)),
    ...problem('valid credentials refused', [...refused.map(describe), ...data.refused]),
    ...problem(`recovered after ${recoveryMs} ms`, hasRecovered ? [] : afterwards.map(describe)),
    ...(connectionRate > CONNECTION_RATE_LIMIT
      ? [`${connectionRate.toFixed(1)} new connections to one server per second`]
      : []),
    ...problem('the log does not say that it is available again', run.ongoing),
    ...logProblems(run, warnings, busy),
  ]
  return {
    name: cell.name,
    requests: samples.length,
    worstMs: Math.max(...samples.map(({ ms }) => ms)),
    unavailable: busy.length,
    wrong: wrong.length,
    lost: data.lost.length,
    doubled: data.doubled.length,
    outOfOrder: data.outOfOrder.length,
    revokedUses: revokedUses.length,
    revokedAccepted: accepted.length,
    validRefused: refused.length + data.refused.length,
    recoveryMs,
    hasRecovered,
    connectionRate,
    warnings: Math.max(...warnings.map(({ texts }) => texts.length)),
    problems,
  }
}

/** When the last request that was sent after the repair failed or was slow. */
export function lastBad({ journal }: Clients, repairedAt: number): number {
  const later = journal.samples.filter((sample) => sample.at > repairedAt && isBad(sample))
  const now = Date.now()
  const isHanging = [...journal.inFlight].some(({ at }) => at > repairedAt && now - at > SLOW_MS)
  return Math.max(repairedAt, ...later.map(({ at, ms }) => at + ms), isHanging ? now : 0)
}

function isBad({ ms, verdict }: Sample): boolean {
  return ms > SLOW_MS || verdict !== 'expected'
}

interface Warnings {
  readonly name: string
  readonly texts: readonly string[]
}

/** The warnings of each replica that has the outage. */
function warningsOf({ platform, cell, began }: Run): Warnings[] {
  const replicas = (['auth', 'payments'] as const).flatMap((service) =>
    SIDES.filter((side) => side === 'A' || !cell.onlyA).map((side) =>
      platform.replica(service, side),
    ),
  )
  return replicas.map(({ name, log }) => ({
    name,
    texts: log.warnings.filter(({ at }) => at >= began).map(({ text }) => text),
  }))
}

/** A replica logs an outage with few lines, and never answers 503 without one. */
function logProblems({ cell }: Run, warnings: readonly Warnings[], busy: readonly Sample[]) {
  const limit = LINES_PER_OUTAGE * (cell.outages ?? 1)
  return warnings.flatMap(({ name, texts }) => {
    if (texts.length > limit) return problem(`warnings of ${name}`, texts)
    const unexplained = busy.filter(({ where }) => where === name && texts.length === 0)
    return problem(`503 of ${name} without a warning`, unexplained.map(describe))
  })
}

async function differencesInDatabase({ platform, clients }: Run) {
  const { journal, sessions, users } = clients
  const records = await readRecords(users[0] ?? '', platform.servers.sql)
  const found = differences(journal.entries, journal.sent, records)
  const stored = await storedSessions(platform, users)
  const lostSessions = sessions.all.flatMap((session) => lostSession(session, stored))
  return {
    lost: [...found.filter((text) => text.startsWith('lost:')), ...lostSessions],
    doubled: found.filter((text) => text.startsWith('duplicate:')),
    outOfOrder: found.filter((text) => !/^(lost|duplicate):/.test(text)),
    refused: sessions.all.flatMap((session) => wronglyRevoked(session, stored)),
  }
}

interface StoredSession {
  readonly id: string
  readonly cause: string | null
}

async function storedSessions({ servers: { sql } }: Platform, users: readonly string[]) {
  const ids = users.map((id) => `'${id}'`).join(', ')
  const rows = await sql(
    'auth',
    `SELECT json_build_object('id', id, 'cause', revocation_cause)::text
       FROM sessions WHERE user_id IN (${ids})`,
  )
  return new Map(
    rows.map((row) => JSON.parse(row) as StoredSession).map(({ id, cause }) => [id, cause]),
  )
}

function lostSession({ sid, loggedOutAt }: Session, stored: Map<string, string | null>): string[] {
  if (!stored.has(sid)) return [`session ${sid}`]
  return loggedOutAt !== undefined && stored.get(sid) === null ? [`logout of ${sid}`] : []
}

function wronglyRevoked({ sid, isLeaving }: Session, stored: Map<string, string | null>): string[] {
  const cause = stored.get(sid) ?? null
  const isRight = cause === null || (isLeaving && cause === 'logout')
  return isRight ? [] : [`session ${sid} is revoked: ${cause}`]
}

/** One line with the number of cases, and examples of different kinds. */
function problem(what: string, cases: readonly string[]): string[] {
  if (cases.length === 0) return []
  const kinds = Map.groupBy(cases, (text) => text.replace(/[0-9a-f-]{36}|\d+/g, '#'))
  const examples = [...kinds.values()].slice(0, EXAMPLES).map((same) => {
    const times = same.length > 1 ? `${same.length} times, such as ` : ''
    return `\n  ${times}${same[0]}`
  })
  return [`${what}: ${cases.length}${examples.join('')}`]
}

function describe({ what, where, status, ms, at, body, retryAfter }: Sample): string {
  const after = retryAfter === undefined ? '' : `, Retry-After ${retryAfter}`
  const problem = (typeof body === 'object' ? body : {}) as { type?: string; detail?: string }
  const isProblem = problem.type !== undefined
  const text = isProblem ? `${problem.type} ${problem.detail}` : JSON.stringify(body)?.slice(0, 120)
  const time = new Date(at).toISOString().slice(11, 23)
  return `${what} at ${where}: ${status || 'no response'} after ${ms} ms${after} (${text}) at ${time}`
}

function describeUse({ where, afterMs }: RevokedUse): string {
  return `at ${where}, ${afterMs} ms after the logout`
}
