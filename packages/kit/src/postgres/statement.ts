import type { QueryResultRow } from 'pg'

/** One SQL statement. `name` identifies it as a prepared statement, and in metrics and traces. */
export interface Statement {
  readonly name: string
  readonly text: string
  /**
   * Set if one execution serves several concurrent requests. The statement's only parameter is then a JSON
   * array of their inputs, each with its index as `nth`. Each result row has the `nth` of its input.
   */
  readonly batched?: {
    /** Names the rows and unique keys that an input locks. Inputs that share one never share a batch. */
    readonly conflictKeys?: (item: never) => readonly string[]
    /** Whether to send the statement even if the request's client has disconnected. */
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
 * Writes a transactional message to the WAL, which needs no table and no privilege. Its commit waits until
 * the standby has every earlier commit.
 */
export const DURABILITY_BARRIER: Statement = {
  name: 'durability_barrier',
  text: `
SELECT nth
  FROM json_to_recordset($1) AS input (nth integer), pg_logical_emit_message(true, 'keep', '')`,
  batched: { evenIfAborted: true },
}
