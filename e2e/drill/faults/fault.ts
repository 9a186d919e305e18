import type { Source } from '../platform.ts'

/** Something that goes wrong, or is done on purpose, while clients go on. */
export interface Fault {
  /** What happens, as the table says it. */
  readonly what: string
  /** It cuts requests off, which their clients send again, once, with the same key. */
  readonly cutsOff?: boolean
  /** Alerts that may fire, with the short times of `faults.yaml`: all else that does is one for nothing. */
  readonly alerts?: readonly string[]
  happen(source: Source): Promise<void>
}
