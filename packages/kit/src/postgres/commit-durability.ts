import type { Client } from 'pg'
import type { Statement } from './statement.js'

/** Connections whose last commit may be missing on the synchronous standby. */
const uncertain = new WeakSet<object>()

/** Marks a connection when its wait for the standby is cancelled, which PostgreSQL reports as success. */
export function watchCommits(client: Client) {
  client.on('notice', (notice) => {
    // The function in syncrep.c that warns; the warning's text depends on the locale.
    if (notice.routine === 'SyncRepWaitForLSN') uncertain.add(client)
  })
  // The pool listens only while a connection is idle. Without a listener, `error` ends the process.
  client.on('error', () => undefined)
}

/** Whether the last commit on this connection may be missing on the standby. Clears the mark. */
export function takeUncertainCommit(client: object): boolean {
  return uncertain.delete(client)
}

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
