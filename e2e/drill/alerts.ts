import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { findPrometheus, query } from '../prometheus.ts'
import { ALARMS, type Alarm } from './alarms.ts'
import type { Clients } from './clients.ts'
import type { Fault } from './faults/fault.ts'
import { space } from './release.ts'

/** Whether those who would be woken are: by what should wake them, and by nothing that mends itself. */

/** Longer than an alert of `faults.yaml` takes to fire, or to end. */
const FIRES_WITHIN_MS = 240_000
const ENDS_WITHIN_MS = 300_000

const OURS = () => `namespace="${space.name}",alertstate="firing"`

/** The alerts that fired since a moment, apart from those that a fault may fire. */
export async function unexpected(fault: Fault, since: number): Promise<string[]> {
  if ((await findPrometheus()) === undefined) return []
  const seconds = Math.max(1, Math.ceil((Date.now() - since) / 1000))
  const fired = await query(`max_over_time(ALERTS{${OURS()}}[${seconds}s])`)
  const may = new Set(fault.alerts ?? [])
  const names = new Set(fired.map(({ metric }) => metric.alertname ?? ''))
  return [...names].filter((name) => !may.has(name)).map((name) => `alerts for nothing: ${name}`)
}

async function firing(): Promise<Set<string>> {
  const found = await query(`ALERTS{${OURS()}}`)
  return new Set(found.map(({ metric }) => metric.alertname ?? ''))
}

/** What must alert, done one after the other: the alerts fire, no others do, and they end when it is mended. */
export async function alarms(clients: Clients): Promise<void> {
  if ((await findPrometheus()) === undefined) return
  for (const alarm of ALARMS) {
    await check(`alerts: ${alarm.what}`, () => raised(alarm, clients))
  }
}

async function raised(alarm: Alarm, clients: Clients): Promise<string> {
  await ended()
  const began = Date.now()
  await alarm.happen(clients)
  try {
    await eventually(alarm.must.join(), () => fires(alarm), { limitMs: FIRES_WITHIN_MS })
  } finally {
    await alarm.mend?.()
  }
  const firedMs = Date.now() - began
  await ended()
  return `${alarm.must.join(' and ')} after ${Math.round(firedMs / 1000)} s`
}

async function fires({ must, may = [] }: Alarm) {
  const names = await firing()
  const missing = must.filter((name) => !names.has(name))
  if (missing.length > 0) {
    throw new Error(`${missing.join()} does not fire, but ${[...names].join() || 'nothing'}`)
  }
  const others = [...names].filter((name) => ![...must, ...may].includes(name))
  if (others.length > 0) throw new Error(`fires, too: ${others.join()}`)
}

async function ended() {
  const nothing = async () => {
    const names = await firing()
    if (names.size > 0) throw new Error([...names].join())
  }
  await eventually('the end of all alerts', nothing, { limitMs: ENDS_WITHIN_MS })
}
