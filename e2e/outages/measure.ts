import { setTimeout as sleep } from 'node:timers/promises'
import { differences } from '../drill/checker.ts'
import { readRecords } from '../drill/records.ts'
import type { Cell } from './cell.ts'
import { Clients } from './clients.ts'
import type { Sample } from './journal.ts'
import { type Platform, type Replica, SIDES } from './platform.ts'
import type { Session } from './sessions.ts'

/** Runs one cell and measures it. */

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
const WARM_UP_MS = 1_500
/** By default an outage lasts this much longer than `DB_WAIT_MS`. */
const HOLD_MARGIN_MS = 1_500
/** A response that takes longer shows that the outage still has an effect. */
const SLOW_MS = 1_000
const OBSERVED_MS = 3_000
const STABLE_MS = 1_500
const GIVE_UP_MS = 15_000
const EXAMPLES = 4

export async function measure(
  platform: Platform,
  cell: Cell,
  waitMs: number,
): Promise<Measurement> {
  const clients = await Clients.start(platform, cell, waitMs)
  let repairedAt: number
  const began = Date.now()
  try {
    await sleep(WARM_UP_MS)
    await cell.beforeLogouts?.(platform)
    await clients.logOut()
    try {
      await cell.inject(platform)
      if (cell.withFreshReplica) await useFreshReplica(platform, clients, waitMs)
      await sleep(cell.holdMs ?? waitMs + HOLD_MARGIN_MS)
    } finally {
      await cell.repair(platform)
    }
    repairedAt = Date.now()
    await untilStable(clients, repairedAt)
    await clients.useAllRevoked()
  } finally {
    await clients.stop()
  }
  return evaluate({ platform, cell, waitMs, clients, began, repairedAt })
}

/** A cell's run, after its last response. */
interface Run {
  readonly platform: Platform
  readonly cell: Cell
  readonly waitMs: number
  readonly clients: Clients
  readonly began: number
  readonly repairedAt: number
}

async function useFreshReplica(platform: Platform, clients: Clients, waitMs: number) {
  const fresh = await platform.startFreshPayments(waitMs)
  try {
    await clients.useAllRevoked(fresh)
  } finally {
    await fresh.stop()
  }
}

/** Waits until requests are answered as before, or gives up. */
async function untilStable(clients: Clients, repairedAt: number) {
  for (const end = repairedAt + GIVE_UP_MS; Date.now() < end; await sleep(100)) {
    const isObserved = Date.now() - repairedAt >= OBSERVED_MS
    if (isObserved && Date.now() - lastBad(clients, repairedAt) >= STABLE_MS) return
  }
}

/** When the last request that was sent after the repair failed or was slow. */
function lastBad({ journal }: Clients, repairedAt: number): number {
  const ends = journal.samples
    .filter(({ at, ms, verdict }) => at > repairedAt && (ms > SLOW_MS || verdict !== 'expected'))
    .map(({ at, ms }) => at + ms)
  const now = Date.now()
  const isHanging = [...journal.inFlight].some(({ at }) => at > repairedAt && now - at > SLOW_MS)
  return Math.max(repairedAt, ...ends, isHanging ? now : 0)
}

async function evaluate(run: Run): Promise<Measurement> {
  const { platform, cell, waitMs, clients, began, repairedAt } = run
  const { samples } = clients.journal
  const { revokedUses } = clients.sessions
  const by = (verdict: Sample['verdict']) => samples.filter((sample) => sample.verdict === verdict)
  const [busy, wrong, refused] = [by('busy'), by('wrong'), by('refused')]
  const data = await differencesInDatabase(run)
  const accepted = revokedUses.filter((use) => use.accepted && use.afterMs > REVOKED_WITHIN_MS)
  const late = samples.filter(({ ms }) => ms > waitMs + MARGIN_MS)
  const lines = linesOf(platform, cell, began)
  const limit = LINES_PER_OUTAGE * (cell.outages ?? 1)
  const control = [...busy, ...wrong].filter(({ side }) => cell.onlyA && side === 'B')
  const recoveryMs = lastBad(clients, repairedAt) - repairedAt
  const afterwards = [...busy, ...wrong, ...samples.filter(({ ms }) => ms > SLOW_MS)].filter(
    ({ at }) => at > repairedAt,
  )
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
    hasRecovered: recoveryMs <= RECOVERY_LIMIT_MS,
    warnings: Math.max(...lines.map(({ texts }) => texts.length)),
    problems: [
      ...problem('answered after the deadline and 500 ms', late.map(describe)),
      ...problem('neither as expected nor 503 with Retry-After', wrong.map(describe)),
      ...problem('503 although no request may fail', cell.served ? busy.map(describe) : []),
      ...problem('failed on the control replica', control.map(describe)),
      ...problem('lost', data.lost),
      ...problem('doubled', data.doubled),
      ...problem('out of order or different', data.outOfOrder),
      ...problem(
        'revoked token accepted',
        accepted.map(({ where, afterMs }) => `at ${where}, ${afterMs} ms after the logout`),
      ),
      ...problem('valid credentials refused', [...refused.map(describe), ...data.refused]),
      ...(recoveryMs > RECOVERY_LIMIT_MS
        ? problem(`recovered after ${recoveryMs} ms`, afterwards.map(describe))
        : []),
      ...lines.flatMap(({ name, texts }) =>
        texts.length > limit ? problem(`warnings of ${name}`, texts) : [],
      ),
    ],
  }
}

/** The warnings of the replicas that have the outage. */
function linesOf(platform: Platform, { onlyA }: Cell, began: number) {
  const replicas: Replica[] = (['auth', 'payments'] as const).flatMap((service) =>
    SIDES.filter((side) => side === 'A' || !onlyA).map((side) => platform.replica(service, side)),
  )
  return replicas.map(({ name, warnings }) => ({
    name,
    texts: warnings.filter(({ at }) => at >= began).map(({ text }) => text),
  }))
}

async function differencesInDatabase({ platform, clients }: Run) {
  const { journal, sessions, users } = clients
  const records = await readRecords(users[0] ?? '', platform.sql)
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

async function storedSessions({ sql }: Platform, users: readonly string[]) {
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

function describe({ name, status, ms, at, body, retryAfter }: Sample): string {
  const after = retryAfter === undefined ? '' : `, Retry-After ${retryAfter}`
  const problem = (typeof body === 'object' ? body : {}) as { type?: string; detail?: string }
  const isProblem = problem.type !== undefined
  const text = isProblem ? `${problem.type} ${problem.detail}` : JSON.stringify(body)?.slice(0, 120)
  const time = new Date(at).toISOString().slice(11, 23)
  return `${name}: ${status || 'no response'} after ${ms} ms${after} (${text}) at ${time}`
}
