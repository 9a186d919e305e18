import type { Client } from 'pg'
import type { Statement } from './statement.js'

/** Whether a commit reached the standby that synchronous replication asks for. */

const uncertain = new WeakSet<object>()

/**
 * Marks a connection whose commit did not wait for its standby because the wait was cancelled. PostgreSQL then
 * reports success with a warning (`SyncRepWaitForLSN` in syncrep.c), whose text depends on the locale.
 */
export function watchCommits(client: Client) {
  client.on('notice', (notice) => {
    if (notice.routine === 'SyncRepWaitForLSN') uncertain.add(client)
  })
  // A lost connection fails its query and then emits `error`. The pool listens only while the connection
  // is idle, and an `error` event without a listener ends the process.
  client.on('error', () => undefined)
}

/** Whether the last commit on this connection may be missing on the standby. Clears the mark. */
export function takeUncertainCommit(client: object): boolean {
  return uncertain.delete(client)
}

/**
 * A statement whose commit waits for the standby, and with it for every commit before it. A transactional
 * message in the WAL needs no table and no privilege. One message serves all requests of the batch.
 */
export const DURABILITY_BARRIER: Statement = {
  name: 'durability_barrier',
  text: `
SELECT nth
  FROM json_to_recordset($1) AS input (nth integer), pg_logical_emit_message(true, 'keep', '')`,
  batched: { evenIfAborted: true },
}
