/**
 * What an error of the database says about the statement that met it. A pure rule, apart from the
 * loop that acts on it (`database.ts`), so that it can be read and tested as a table.
 */
export type RetryVerdict =
  /** Surely not carried out: wait a little and send it again. */
  | 'refused'
  /** Rolled back in favour of another: send it again at once. */
  | 'again'
  /** It may have been committed: only its operation id can tell. */
  | 'unknown'
  /** An answer of its own, such as a violated constraint: not ours to repeat. */
  | 'final'

/**
 * SQLSTATEs by what is known after them; PostgreSQL, appendix A. Those of class 08 that are not listed
 * here are unknown.
 */
const BY_SQLSTATE: Readonly<Record<string, RetryVerdict>> = {
  '08001': 'refused', // could not establish the connection
  '08004': 'refused', // the server rejected the connection
  '25006': 'refused', // read-only: this is a replica, or was the primary a moment ago
  '28P01': 'refused', // wrong password: it is being rotated, the file is read again
  '53300': 'refused', // too many connections
  '55P03': 'refused', // lock not available within lock_timeout
  '57014': 'refused', // cancelled, by statement_timeout too: never while committing
  '57P03': 'refused', // starting up, or shutting down before it took us in
  '40001': 'again', // serialization failure
  '40P01': 'again', // deadlock
  '57P01': 'unknown', // terminated by an administrator: a shutdown or a failover
  '57P02': 'unknown', // crashed
  '58000': 'unknown', // system error
}

/** A commit that may not have reached the synchronous standby; see `database.ts`. */
export class UncertainCommit extends Error {
  constructor() {
    super('The wait for synchronous replication was cancelled')
    this.name = 'UncertainCommit'
  }
}

/** An earlier try of the same write is still running in the database: wait a little and look again. */
export class StillRunning extends Error {
  constructor() {
    super('An earlier try of this write is still running')
    this.name = 'StillRunning'
  }
}

/** How far a try had come when it failed. */
export type Phase = 'building' | 'connecting' | 'sent'

/**
 * The fate of a statement that failed with `error`: an error of the network before anything was sent
 * refuses it, after that its commit may have happened.
 */
export function retryVerdict(error: unknown, phase: Phase): RetryVerdict {
  if (error instanceof UncertainCommit) return 'unknown'
  if (error instanceof StillRunning) return 'refused'
  const code = codeOf(error)
  if (code !== undefined && SQLSTATE.test(code)) {
    return BY_SQLSTATE[code] ?? (code.startsWith('08') ? 'unknown' : 'final')
  }
  if (phase === 'connecting') return 'refused'
  if (!isNetwork(error, code)) return 'final'
  return phase === 'sent' ? 'unknown' : 'refused'
}

/** Five characters; none begins with E, as the names of system errors do. */
const SQLSTATE = /^[\dA-DF-Z][\dA-Z]{4}$/
const SYSTEM_ERROR = /^E(?!RR_)[A-Z\d_]+$/

/** Without a code, `pg` tells a lost connection and its own time limits by their texts. */
const LOST =
  /^(Connection terminated|Query read timeout|timeout exceeded|Client has encountered a connection error|Client was closed)|not queryable/

function isNetwork(error: unknown, code: string | undefined): boolean {
  if (code !== undefined && SYSTEM_ERROR.test(code)) return true
  return error instanceof Error && LOST.test(error.message)
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}
