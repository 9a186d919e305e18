/** What an error says about the statement that failed with it; `database.ts` acts on it. */
export type RetryVerdict =
  /** Certainly not executed, or rolled back: wait briefly and retry. */
  | 'not_applied'
  /** Rolled back because of a concurrent transaction: retry at once. */
  | 'conflict'
  /** It may have been committed: only its operation id shows whether it was. */
  | 'in_doubt'
  /** An error that a retry would not change, such as a violated constraint. */
  | 'final'

/** Verdict by SQLSTATE (PostgreSQL documentation, appendix A). Other codes of class 08 are in doubt. */
const BY_SQLSTATE: Readonly<Record<string, RetryVerdict>> = {
  '08001': 'not_applied', // could not establish the connection
  '08004': 'not_applied', // the server rejected the connection
  '25006': 'not_applied', // read-only: a replica, or the primary of a moment ago
  '28P01': 'not_applied', // wrong password: it is being rotated, the file is read again
  '53300': 'not_applied', // too many connections
  '55P03': 'not_applied', // lock not available within lock_timeout
  '57014': 'not_applied', // cancelled, by statement_timeout too: never during a commit
  '57P03': 'not_applied', // starting up or shutting down, before the connection was accepted
  '40001': 'conflict', // serialization failure
  '40P01': 'conflict', // deadlock
  '57P01': 'in_doubt', // terminated by an administrator: a shutdown or a failover
  '57P02': 'in_doubt', // crashed
  '58000': 'in_doubt', // system error
}

/** None starts with E, as the codes of system errors do. */
const SQLSTATE = /^[\dA-DF-Z][\dA-Z]{4}$/
const SYSTEM_ERROR = /^E(?!RR_)[A-Z\d_]+$/

/** `pg` reports a lost connection and its own timeouts by these messages, without a code. */
const CONNECTION_LOST =
  /^(Connection terminated|Query read timeout|timeout exceeded|Client has encountered a connection error|Client was closed)|not queryable/

/** A commit that may not have reached the standby; see `pool-options.ts`. */
export class UncertainCommit extends Error {
  constructor() {
    super('The wait for synchronous replication was cancelled')
    this.name = 'UncertainCommit'
  }
}

/** An earlier attempt of the same write is still running in the database: retry after it has ended. */
export class StillRunning extends Error {
  constructor() {
    super('An earlier attempt of this write is still running')
    this.name = 'StillRunning'
  }
}

/** How far a statement had come when it failed. */
export type Phase = 'connecting' | 'sent'

export class StatementFailed extends Error {
  readonly verdict: RetryVerdict

  constructor(
    override readonly cause: unknown,
    phase: Phase,
    readonly batchSize = 1,
  ) {
    super('The statement failed')
    const verdict = retryVerdict(cause, phase)
    // In a batch the error may be due to another call: each call is retried unbatched.
    this.verdict = verdict === 'final' && batchSize > 1 ? 'conflict' : verdict
  }
}

/** A network error before the statement was sent means that it is not applied; after that it is in doubt. */
export function retryVerdict(error: unknown, phase: Phase): RetryVerdict {
  if (error instanceof UncertainCommit) return 'in_doubt'
  if (error instanceof StillRunning) return 'not_applied'
  const given = (error as { code?: unknown } | null)?.code
  const code = typeof given === 'string' ? given : ''
  if (SQLSTATE.test(code)) {
    return BY_SQLSTATE[code] ?? (code.startsWith('08') ? 'in_doubt' : 'final')
  }
  if (phase === 'connecting') return 'not_applied'
  const isLost = error instanceof Error && CONNECTION_LOST.test(error.message)
  return isLost || SYSTEM_ERROR.test(code) ? 'in_doubt' : 'final'
}
