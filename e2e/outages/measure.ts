import { setTimeout as sleep } from 'node:timers/promises'
import type { Cell } from './cell.ts'
import { Clients } from './clients.ts'
import { evaluate, lastBad, type Measurement, type Run, type StartedRun } from './evaluate.ts'
import { LINKS } from './link.ts'
import type { Platform } from './platform.ts'

/** Runs one cell under load and measures it. */

const WARM_UP_MS = 1_500
/** By default an outage lasts this much longer than `DB_WAIT_MS`. */
const HOLD_MARGIN_MS = 1_500
const OBSERVED_MS = 3_000
const STABLE_MS = 1_500
const GIVE_UP_MS = 15_000
/** The services log the end of an outage at most 7 s after its last failure. */
const END_LOGGED_MS = 12_000
const LINKS_TO_SERVERS = LINKS.filter((name) => name !== 'payments→auth')

export async function measure(
  platform: Platform,
  cell: Cell,
  waitMs: number,
): Promise<Measurement> {
  const clients = await Clients.start(platform, cell, waitMs)
  const started = { platform, cell, waitMs, clients, began: Date.now() }
  let run: Run
  try {
    await sleep(WARM_UP_MS)
    await cell.beforeLogouts?.(platform)
    await clients.logOut()
    const outage = await causeOutage(started)
    await untilStable(clients, outage.repairedAt)
    const recoveryMs = lastBad(clients, outage.repairedAt) - outage.repairedAt
    await clients.useAllRevoked()
    const ongoing = await untilOutagesEnd(platform)
    run = { ...started, ...outage, recoveryMs, ongoing }
  } finally {
    await clients.stop()
  }
  return evaluate(run)
}

/** Injects the outage, waits and repairs it. */
async function causeOutage({ platform, cell, waitMs, clients }: StartedRun) {
  const links = LINKS_TO_SERVERS.map((name) => platform.link(name))
  const opened = links.map((link) => link.opened)
  const injectedAt = Date.now()
  try {
    await cell.inject(platform)
    if (cell.withFreshReplica) await useFreshReplica(platform, clients, waitMs)
    await sleep(cell.holdMs ?? waitMs + HOLD_MARGIN_MS)
  } finally {
    await cell.repair(platform)
  }
  const repairedAt = Date.now()
  const more = links.map((link, n) => link.opened - (opened[n] ?? 0))
  const seconds = (repairedAt - injectedAt) / 1_000 + (cell.outages ?? 1)
  return { repairedAt, connectionRate: Math.max(...more) / seconds }
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

/** Waits until each replica has logged the end of its outages, or gives up. @returns the others */
async function untilOutagesEnd(platform: Platform): Promise<string[]> {
  const ongoing = () =>
    platform.running.flatMap(({ name, log }) => [...log.outages].map((what) => `${what}: ${name}`))
  for (const end = Date.now() + END_LOGGED_MS; Date.now() < end; await sleep(100)) {
    if (ongoing().length === 0) return []
  }
  return ongoing()
}
