import type { Source } from '../install.ts'

/** A fault or an operation that is injected under load. */
export interface Fault {
  /** The title in the table of results. */
  readonly title: string
  /** Whether requests may be interrupted; clients then retry them once with the same key. */
  readonly interruptsRequests?: boolean
  /** Alerts that may fire with the short durations of `faults.yaml`; any other alert fails the drill. */
  readonly allowedAlerts?: readonly string[]
  inject(source: Source): Promise<void>
}
