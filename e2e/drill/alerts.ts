import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { findPrometheus, query } from '../prometheus.ts'
import { INCIDENTS, type Incident } from './incidents.ts'
import type { Clients } from './clients.ts'
import type { Fault } from './faults/fault.ts'
import { namespace } from './release.ts'

/** Incidents fire their alerts, and faults that resolve themselves fire none. */

/** Longer than an alert with the durations of `faults.yaml` takes to fire, or to resolve. */
const FIRES_WITHIN_MS = 240_000
const RESOLVES_WITHIN_MS = 300_000

const firingAlerts = () => `namespace="${namespace.name}",alertstate="firing"`

/** The alerts that fired since a time (ms since the epoch), except those that the fault may fire. */
export async function unexpectedAlerts(fault: Fault, since: number): Promise<string[]> {
  if ((await findPrometheus()) === undefined) return []
  const seconds = Math.max(1, Math.ceil((Date.now() - since) / 1000))
  const fired = await query(`max_over_time(ALERTS{${firingAlerts()}}[${seconds}s])`)
  const allowed = new Set(fault.allowedAlerts ?? [])
  const names = new Set(fired.map(({ metric }) => metric.alertname ?? ''))
  return [...names].filter((name) => !allowed.has(name)).map((name) => `unexpected alert: ${name}`)
}

async function firing(): Promise<Set<string>> {
  const found = await query(`ALERTS{${firingAlerts()}}`)
  return new Set(found.map(({ metric }) => metric.alertname ?? ''))
}

/** Causes each incident in turn: exactly its alerts fire, and they resolve after the incident. */
export async function checkIncidents(clients: Clients): Promise<void> {
  if ((await findPrometheus()) === undefined) return
  for (const alarm of INCIDENTS) {
    await check(`alerts: ${alarm.title}`, () => checkIncident(alarm, clients))
  }
}

async function checkIncident(alarm: Incident, clients: Clients): Promise<string> {
  await noAlertFires()
  const began = Date.now()
  await alarm.cause(clients)
  try {
    await eventually(alarm.expectedAlerts.join(), () => assertFires(alarm), {
      limitMs: FIRES_WITHIN_MS,
    })
  } finally {
    await alarm.resolve?.()
  }
  const firedMs = Date.now() - began
  await noAlertFires()
  return `${alarm.expectedAlerts.join(' and ')} after ${Math.round(firedMs / 1000)} s`
}

async function assertFires({ expectedAlerts, allowedAlerts = [] }: Incident) {
  const names = await firing()
  const missing = expectedAlerts.filter((name) => !names.has(name))
  if (missing.length > 0) {
    throw new Error(`not firing: ${missing.join()}; firing: ${[...names].join() || 'none'}`)
  }
  const others = [...names].filter((name) => ![...expectedAlerts, ...allowedAlerts].includes(name))
  if (others.length > 0) throw new Error(`also firing: ${others.join()}`)
}

async function noAlertFires() {
  const assertNone = async () => {
    const names = await firing()
    if (names.size > 0) throw new Error([...names].join())
  }
  await eventually('all alerts resolved', assertNone, { limitMs: RESOLVES_WITHIN_MS })
}
