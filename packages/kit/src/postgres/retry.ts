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

/** Verdicts by SQLSTATE of a statement that was sent (PostgreSQL, appendix A). */
const BY_SQLSTATE: Readonly<Record<string, RetryVerdict>> = {
  '08001': 'not_applied', // could not establish the connection
  '08004': 'not_applied', // the server rejected the connection
  '25006': 'not_applied', // read-only: a replica, or a primary that was just demoted
  '25P03': 'not_applied', // idle_in_transaction_session_timeout, before the COMMIT
  '26000': 'not_applied', // the prepared statement was deallocated, or belongs to another connection
  '28P01': 'not_applied', // wrong password: during a rotation, the retry reads the new file
  '3F000': 'not_applied', // the schema does not exist, for example during a restore
  '40001': 'conflict', // serialization failure
  '40P01': 'conflict', // deadlock
  '42501': 'not_applied', // a missing privilege
  '42703': 'not_applied', // the column does not exist
  '42804': 'not_applied', // a column has another type than when this connection planned a trigger
  '42883': 'not_applied', // the function does not exist
  '42P01': 'not_applied', // the table does not exist
  '55P03': 'not_applied', // lock not available within lock_timeout
  '57014': 'not_applied', // cancelled, for example by statement_timeout; never during a commit
  '57P03': 'not_applied', // the server is starting up or shutting down and refused the connection
  '57P05': 'not_applied', // idle_session_timeout: the connection was idle
  '57P01': 'in_doubt', // terminated by an administrator: a shutdown or a failover
  '57P02': 'in_doubt', // crashed
  '58000': 'in_doubt', // system error
}

/** Verdicts by class of SQLSTATE, for codes that `BY_SQLSTATE` does not list. Others are `final`. */
const BY_CLASS: Readonly<Record<string, RetryVerdict>> = {
  '08': 'in_doubt', // connection exception
  '53': 'not_applied', // insufficient resources: disk, memory, connections
  '57': 'in_doubt', // operator intervention
}

/** Errors after which a connection can be used again, as after every `final` one: no other would do better. */
const KEEPS_CONNECTION = /^(?:53[12]00|40001|40P01|55P03|57014)$/
/** Errors that a new connection may not have: it may reach another server, or have other settings. */
const MAY_END_BY_RECONNECT = /^(?:25006|3F000|42501|42703|42883|42P01)$/

/** No SQLSTATE starts with E, unlike the codes of system errors. */
const SQLSTATE = /^[\dA-DF-Z][\dA-Z]{4}$/
const SYSTEM_ERROR = /^E(?!RR_)[A-Z\d_]+$/

/** `pg` reports lost connections and its own timeout with these messages, without an error code. */
const CONNECTION_LOST =
  /^(Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed)|not queryable/

/** PostgreSQL did not answer a statement in time. The connection must be closed: the answer may still arrive. */
export class StatementTimeout extends Error {
  override readonly name = 'StatementTimeout'

  constructor(timeoutMs: number) {
    super(`PostgreSQL did not answer the statement within ${Math.round(timeoutMs)} ms`)
  }
}

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

/** A write changed nothing: it is late, or was based on a state that another write has replaced. */
export class StaleWrite extends Error {
  constructor() {
    super('The write is late, or another write has changed the row')
    this.name = 'StaleWrite'
  }
}

/** Whether a write asks for a retry by itself, although the database works. */
export function isAskedFor(error: unknown): boolean {
  return error instanceof StillRunning || error instanceof StaleWrite
}

/** The stage at which a statement failed. */
export type Phase = 'connecting' | 'sent'

export class StatementFailed extends Error {
  readonly verdict: RetryVerdict
  /** Whether another call of the same batch may have caused the error. */
  readonly isShared: boolean
  /** Whether the connection was lost at once: a retry shows whether the database is still unavailable, and why. */
  readonly isCut: boolean

  constructor(
    override readonly cause: unknown,
    phase: Phase,
    batchSize = 1,
  ) {
    super('The statement failed')
    const verdict = retryVerdict(cause, phase)
    this.isShared = batchSize > 1 && phase === 'sent'
    this.verdict = verdict === 'final' && this.isShared ? 'conflict' : verdict
    this.isCut = verdict === 'in_doubt' && !(cause instanceof StatementTimeout)
  }
}

/** Classifies an error. Before the statement was sent, every error is `not_applied`. */
export function retryVerdict(error: unknown, phase: Phase): RetryVerdict {
  if (error instanceof UncertainCommit) return 'in_doubt'
  if (isAskedFor(error)) return 'not_applied'
  const code = sqlStateOf(error)
  const known = BY_SQLSTATE[code]
  if (phase === 'connecting') return known === 'conflict' ? known : 'not_applied'
  if (code === '') return isConnectionLoss(error) ? 'in_doubt' : 'final'
  if (isPlanChange(error)) return 'not_applied'
  return known ?? BY_CLASS[code.slice(0, 2)] ?? 'final'
}

/** The SQLSTATE of an error of PostgreSQL; empty for any other error. */
export function sqlStateOf(error: unknown): string {
  const code = codeOf(error)
  return SQLSTATE.test(code) ? code : ''
}

/** Whether PostgreSQL stopped to answer, or the network did: an error without an SQLSTATE. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    error instanceof StatementTimeout ||
    CONNECTION_LOST.test(error.message) ||
    SYSTEM_ERROR.test(codeOf(error))
  )
}

/**
 * Whether a prepared statement was refused because a migration has changed a type that it returns. The code,
 * feature_not_supported, has other meanings too, and the text of the message depends on the locale.
 */
export function isPlanChange(error: unknown): boolean {
  const { routine } = (error ?? {}) as { routine?: unknown }
  return codeOf(error) === '0A000' && routine === 'RevalidateCachedQuery'
}

/** Whether a connection can be used again after an error of a statement. `isNew`: see `DatabaseClient`. */
export function keepsConnection(error: unknown, phase: Phase, isNew: boolean): boolean {
  const code = codeOf(error)
  if (retryVerdict(error, phase) === 'final' || KEEPS_CONNECTION.test(code)) return true
  return isNew && MAY_END_BY_RECONNECT.test(code)
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
