import type { QueryResultRow } from 'pg'

/** One SQL statement. Its name identifies the prepared statement, and the statement in metrics and traces. */
export interface Statement {
  readonly name: string
  readonly text: string
  /**
   * Set on a statement that serves several concurrent requests. Its only parameter is a JSON array of their
   * inputs, each with its index as `nth`. Each row has the `nth` of the input that it belongs to.
   */
  readonly batched?: {
    /** The rows and unique keys that an input locks. Inputs with a key in common are never in one batch. */
    readonly conflictKeys?: (item: never) => readonly string[]
    /** Whether the statement is sent although the request's client has disconnected. */
    readonly evenIfAborted?: boolean
  }
}

export type Row = QueryResultRow

/** Executes one statement and returns its rows. A batched statement takes one value: its input. */
export type Run = <Row extends QueryResultRow>(
  statement: Statement,
  values: readonly unknown[],
) => Promise<Row[]>

/**
 * A write that needs no table and no privilege: a transactional message in the WAL. Its commit waits until
 * the standby has every earlier commit.
 */
export const DURABILITY_BARRIER: Statement = {
  name: 'durability_barrier',
  text: `
SELECT nth
  FROM json_to_recordset($1) AS input (nth integer), pg_logical_emit_message(true, 'keep', '')`,
  batched: { evenIfAborted: true },
}
