import type { DatabaseClient } from './database-client.js'

/** What a connection retains from one transaction to the next. */
export interface Session {
  /**
   * Sets the limits of one transaction; undefined if the session has them. Behind a pooler in transaction mode,
   * each transaction may run on another server connection, so settings of the session would reach others.
   */
  readonly setLimits: string | undefined
  /** Whether a named prepared statement can be executed in a later transaction. */
  readonly hasPreparedStatements: boolean
}

/** Limits that PostgreSQL enforces, in milliseconds; 0 is no limit. */
export interface SessionLimits {
  readonly statement_timeout: number
  readonly lock_timeout: number
  readonly idle_in_transaction_session_timeout: number
}

const PROBE_NAME = 'malipo_probe'

/**
 * Compares the backend's process id with the one that the connection was given as its cancel key: PgBouncer and
 * other poolers issue other cancel keys. A direct connection gets its limits in the same statement. They
 * are not startup parameters, because PgBouncer refuses those that it does not know.
 *
 * The statement also looks for its own name. A pooler that tracks prepared statements (PgBouncer since 1.21)
 * gives them other names. One that passes the name on to the server can't be used with names in
 * transaction mode: another connection may have prepared the name there, and the next transaction may run on
 * another server connection.
 */
const PROBE = `
SELECT pg_backend_pid() = $1 AS "isDirect",
       EXISTS (SELECT FROM pg_prepared_statements WHERE name = '${PROBE_NAME}') AS "isNamePassedOn",
       CASE WHEN pg_backend_pid() = $1 THEN
         concat(set_config('statement_timeout', $2, false),
                set_config('lock_timeout', $3, false),
                set_config('idle_in_transaction_session_timeout', $4, false))
       END`

const sessions = new WeakMap<object, Session>()

/** The session of a connection that `openSession` has probed. */
export function sessionOf(client: object): Session {
  const session = sessions.get(client)
  if (session) return session
  throw new Error('The connection was not probed: use the pool of dataSourceOptions')
}

/** Probes a new connection, and sets its limits if it is direct. */
export async function openSession(client: DatabaseClient, limits: SessionLimits): Promise<void> {
  sessions.set(client, await probe(client, limits))
  client.markOpen()
}

interface Probed {
  readonly isDirect: boolean
  readonly isNamePassedOn: boolean
}

async function probe(client: DatabaseClient, limits: SessionLimits): Promise<Session> {
  const { processID } = client as DatabaseClient & { readonly processID: number | null }
  const values = [
    // A pooler may issue no cancel key at all.
    processID ?? 0,
    limits.statement_timeout,
    limits.lock_timeout,
    limits.idle_in_transaction_session_timeout,
  ].map(String)
  try {
    const { rows } = await client.query<Probed>({ name: PROBE_NAME, text: PROBE, values })
    const { isDirect = false, isNamePassedOn = true } = rows[0] ?? {}
    return isDirect
      ? { setLimits: undefined, hasPreparedStatements: true }
      : { setLimits: setLocal(limits), hasPreparedStatements: !isNamePassedOn }
  } catch (error) {
    if (!NAME_IS_SHARED.has(String((error as { code?: unknown }).code))) throw error
    return { setLimits: setLocal(limits), hasPreparedStatements: false }
  }
}

/** duplicate_prepared_statement, invalid_sql_statement_name: the name is that of another connection. */
const NAME_IS_SHARED = new Set(['42P05', '26000'])

function setLocal(limits: SessionLimits): string {
  return Object.entries(limits)
    .map(([name, ms]) => `SET LOCAL ${name} = ${ms}`)
    .join('; ')
}
