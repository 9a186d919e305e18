import { parseOptions, UsageError } from '@malipo/kit/command'
import { parseTime } from '@malipo/kit/http/time'

export const USAGE = `recover --since time [--id id]

Run this after a restore, before payments calls providers again. The database does not know what was
sent after the time to which it was restored. Attempts that were created by then and waited to be sent,
or were being sent, are now in doubt: they are queried, and never sent.

--since  the time to which the database was restored, in the form of RFC 3339
--id     the RECOVERY_ID for which the replicas of payments wait`

export interface RecoverCommand {
  readonly since: Date
  readonly id: string | undefined
}

const ID = /^[\w.:+-]{1,100}$/

/** @throws UsageError for a missing, unknown or malformed argument */
export function parseRecover(args: string[], now: Date): RecoverCommand {
  const string = { type: 'string' } as const
  const { values } = parseOptions(USAGE, {
    args,
    options: { since: string, id: string, help: { type: 'boolean' } },
  })
  if (values.help || values.since === undefined) throw new UsageError(USAGE)
  const since = parseTime(values.since)
  if (!since || since > now) {
    throw new UsageError('--since must be a past RFC 3339 time, such as 2026-01-31T12:00:00Z')
  }
  if (values.id !== undefined && !ID.test(values.id)) {
    throw new UsageError('--id must be 1 to 100 letters, digits and . _ : + -')
  }
  return { since, id: values.id }
}
