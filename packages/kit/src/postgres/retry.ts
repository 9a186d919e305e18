/** Whether a failed statement can be retried, judged by its error. `database.ts` acts on the verdict. */
export type RetryVerdict =
  /** The statement was not executed, or was rolled back: retry after a short wait. */
  | 'not_applied'
  /** The statement was rolled back because of a concurrent transaction: retry at once. */
  | 'conflict'
  /** The statement may have been committed: only its operation id shows whether it was. */
  | 'in_doubt'
  /** A retry would fail the same way, for example because of a violated constraint. */
  | 'final'

/** Verdicts by SQLSTATE (PostgreSQL, appendix A). Other codes of class 08 are `in_doubt`, others `final`. */
const BY_SQLSTATE: Readonly<Record<string, RetryVerdict>> = {
  '08001': 'not_applied', // could not establish the connection
  '08004': 'not_applied', // the server rejected the connection
  '25006': 'not_applied', // read-only: a replica, or a primary that was just demoted
  '28P01': 'not_applied', // wrong password: during a rotation, the retry reads the new file
  '53300': 'not_applied', // too many connections
  '55P03': 'not_applied', // lock not available within lock_timeout
  '57014': 'not_applied', // cancelled, for example by statement_timeout; never during a commit
  '57P03': 'not_applied', // the server is starting up or shutting down and refused the connection
  '40001': 'conflict', // serialization failure
  '40P01': 'conflict', // deadlock
  '57P01': 'in_doubt', // terminated by an administrator: a shutdown or a failover
  '57P02': 'in_doubt', // crashed
  '58000': 'in_doubt', // system error
}

/** No SQLSTATE starts with E, unlike the codes of system errors. */
const SQLSTATE = /^[\dA-DF-Z][\dA-Z]{4}$/
const SYSTEM_ERROR = /^E(?!RR_)[A-Z\d_]+$/

/** `pg` reports lost connections and its own timeouts with these messages, without an error code. */
const CONNECTION_LOST =
  /^(Connection terminated|Query read timeout|timeout exceeded|Client has encountered a connection error|Client was closed)|not queryable/

/** A commit that may not have reached the standby; see `pool-options.ts`. */
export class UncertainCommit extends Error {
  constructor() {
    super('The wait for synchronous replication was cancelled')
    this.name = 'UncertainCommit'
  }
}

/** An earlier attempt of the same write is still running in the database: retry after it ends. */
export class StillRunning extends Error {
  constructor() {
    super('An earlier attempt of this write is still running')
    this.name = 'StillRunning'
  }
}

/** The stage at which a statement failed. */
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
    // In a batch, another call may have caused the error, so each call is retried unbatched.
    this.verdict = verdict === 'final' && batchSize > 1 ? 'conflict' : verdict
  }
}

/** Classifies an error. A network error is `not_applied` before the statement was sent, `in_doubt` later. */
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
