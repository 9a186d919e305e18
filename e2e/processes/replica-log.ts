interface Entry {
  readonly level: string
  readonly msg: string
  readonly err?: { readonly message?: string }
}

/** What the lines of a replica's log say, without the access log. */
export class ReplicaLog {
  /** Warnings and errors. */
  readonly warnings: { readonly at: number; readonly text: string }[] = []
  /** The dependencies that are unavailable. */
  readonly outages = new Set<string>()

  add(line: string) {
    const entry = entryOf(line)
    if (entry.msg === 'request') return
    if (['warn', 'error', 'fatal'].includes(entry.level)) {
      this.warnings.push({ at: Date.now(), text: textOf(entry) })
    }
    this.noteOutage(entry)
  }

  private noteOutage({ msg }: Entry) {
    const [begins, dependency = 'rights in Redis'] = OUTAGE_BEGINS.exec(msg) ?? []
    if (begins !== undefined) this.outages.add(dependency)
    const [ends, repaired = 'rights in Redis'] = OUTAGE_ENDS.exec(msg) ?? []
    if (ends !== undefined) this.outages.delete(repaired)
  }
}

/** The log lines at the beginning and at the end of an outage. */
const OUTAGE_BEGINS = /^(?:(.+) is unavailable|the Redis user may not run)/
const OUTAGE_ENDS = /^(?:(.+) is available again|the Redis user may run every command again)/

/** A line that is no JSON is a message of Node itself. */
function entryOf(line: string): Entry {
  return line.startsWith('{') ? (JSON.parse(line) as Entry) : { level: 'error', msg: line }
}

function textOf({ level, msg, err }: Entry): string {
  return `${level} ${msg}${err?.message ? `: ${err.message}` : ''}`
}
