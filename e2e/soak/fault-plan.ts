import type { Draw } from '../charges/draw.ts'
import { QUERY_LEASE_SECONDS, SEND_LEASE_SECONDS } from './settings.ts'

/** Which faults are injected when, as data that depends on the seed only. */

export const REPLICAS = {
  auth: ['auth A', 'auth B'],
  payments: ['payments A', 'payments B', 'payments C'],
} as const

export type Target =
  'PostgreSQL' | 'Redis' | 'simulator' | (typeof REPLICAS)[keyof typeof REPLICAS][number]

interface Kind {
  readonly targets: readonly Target[]
  /** How many of the targets may be down at once. */
  readonly atOnce: number
  readonly action: 'restart' | 'crash' | 'flush' | 'kill' | 'stop' | 'freeze'
  /** Between the two steps of the fault, in seconds. */
  readonly seconds: readonly [min: number, max: number]
}

const PAYMENTS = { targets: REPLICAS.payments, atOnce: 2 } as const

export const FAULTS = {
  'PostgreSQL restarted': {
    targets: ['PostgreSQL'],
    atOnce: 1,
    action: 'restart',
    seconds: [0, 0],
  },
  'PostgreSQL crashed': { targets: ['PostgreSQL'], atOnce: 1, action: 'crash', seconds: [0, 2] },
  'Redis flushed': { targets: ['Redis'], atOnce: 1, action: 'flush', seconds: [0, 0] },
  'payments killed': { ...PAYMENTS, action: 'kill', seconds: [0, 3] },
  'payments stopped': { ...PAYMENTS, action: 'stop', seconds: [0, 1] },
  'payments frozen longer than the lease of a query': {
    ...PAYMENTS,
    action: 'freeze',
    seconds: [QUERY_LEASE_SECONDS + 1, QUERY_LEASE_SECONDS + 4],
  },
  'payments frozen longer than the lease of a send': {
    ...PAYMENTS,
    action: 'freeze',
    seconds: [SEND_LEASE_SECONDS + 1, SEND_LEASE_SECONDS + 4],
  },
  'simulator killed': { targets: ['simulator'], atOnce: 1, action: 'kill', seconds: [0, 1.5] },
  'simulator frozen': { targets: ['simulator'], atOnce: 1, action: 'freeze', seconds: [2, 6] },
  'auth killed': { targets: REPLICAS.auth, atOnce: 1, action: 'kill', seconds: [0, 2] },
} as const satisfies Record<string, Kind>

export type FaultName = keyof typeof FAULTS
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[]

export interface PlannedFault {
  readonly name: FaultName
  readonly action: Kind['action']
  readonly target: Target
  /** Since the start of the load. */
  readonly atMs: number
  readonly durationMs: number
}

const FIRST_MS = 2_000
const GAP_MS = [2_000, 4_500] as const
/** The pause of a target after its last fault: a replica starts, and works for a while. */
const RECOVERY_MS = 6_000

/** Deals the kinds of faults in random order, all of them before one comes again. */
export function* faultPlan(draw: Draw): Generator<PlannedFault, never> {
  const busyUntil = new Map<Target, number>()
  let deck: FaultName[] = []
  let atMs = FIRST_MS
  for (let n = 0; ; n++) {
    if (deck.length === 0) deck = draw.shuffled(FAULT_NAMES, 'deck', n)
    const possible = deck.find((name) => freeTargets(FAULTS[name], busyUntil, atMs).length > 0)
    if (possible) {
      deck = deck.filter((name) => name !== possible)
      const { action, seconds }: Kind = FAULTS[possible]
      const target = draw.pick(freeTargets(FAULTS[possible], busyUntil, atMs), 'target', n)
      const durationMs = Math.round(draw.between(...seconds, 'duration', n) * 1_000)
      busyUntil.set(target, atMs + durationMs + RECOVERY_MS)
      yield { name: possible, action, target, atMs, durationMs }
    }
    atMs += Math.round(draw.between(...GAP_MS, 'gap', n))
  }
}

function freeTargets(
  { targets, atOnce }: Kind,
  busyUntil: ReadonlyMap<Target, number>,
  atMs: number,
): readonly Target[] {
  const free = targets.filter((target) => (busyUntil.get(target) ?? 0) <= atMs)
  return targets.length - free.length < atOnce ? free : []
}
