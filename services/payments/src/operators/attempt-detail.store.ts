import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { AttemptCause, AttemptState } from '../attempts/states.js'
import { ATTEMPT_COLUMNS, type StoredAttempt } from './attempt.view.js'
import { MESSAGE_VIEW_COLUMNS, type StoredMessage } from './message.view.js'

/** Reads one attempt, with what has happened to it and what happens next. */

const FIND: Statement = {
  name: 'attempt_read',
  text: `
SELECT ${ATTEMPT_COLUMNS}
FROM payment_attempts AS attempt
JOIN payments ON payments.id = attempt.payment_id
WHERE attempt.id = $1`,
}

export async function readAttempt(run: Run, id: string): Promise<StoredAttempt | undefined> {
  const [found] = await run<StoredAttempt>(FIND, [id])
  return found
}

export interface AttemptEvent {
  readonly from: AttemptState
  readonly to: AttemptState
  readonly at: string
  readonly cause: AttemptCause
  /** The account, or the id of an operator. */
  readonly actor: string
  readonly reason: string | null
  /** The id of a message. */
  readonly evidence: string | null
  /** The version of the attempt after the event. */
  readonly version: number
}

/** An attempt has one for each change, of which there are about ten. */
const MAX_EVENTS = 200

const EVENTS: Statement = {
  name: 'attempt_events_read',
  text: `
SELECT from_state AS from, to_state AS to, ${isoTime('at')} AS at, cause, actor, reason,
  message_id AS evidence, version
FROM attempt_events
WHERE attempt_id = $1
ORDER BY version DESC
LIMIT ${MAX_EVENTS}`,
}

/** The newest events, oldest first. */
export async function readEvents(run: Run, attemptId: string): Promise<AttemptEvent[]> {
  return (await run<AttemptEvent>(EVENTS, [attemptId])).toReversed()
}

/** The next call of an attempt. */
export interface AttemptWork {
  readonly call: 'send' | 'query'
  /** While a replica makes the call, the time after which another one may. Null if no call is scheduled. */
  readonly dueAt: string | null
  readonly isUnderWay: boolean
  readonly tries: number
  readonly misses: number
}

const WORK: Statement = {
  name: 'attempt_work_read',
  text: `
SELECT call, CASE WHEN isfinite(due_at) THEN ${isoTime('due_at')} END AS "dueAt",
  lease_id IS NOT NULL AS "isUnderWay", tries, misses
FROM attempt_work
WHERE attempt_id = $1`,
}

export async function readWork(run: Run, attemptId: string): Promise<AttemptWork | undefined> {
  const [work] = await run<AttemptWork>(WORK, [attemptId])
  return work
}

const MAX_MESSAGES = 100

const MESSAGES: Statement = {
  name: 'attempt_messages_read',
  text: `
SELECT ${MESSAGE_VIEW_COLUMNS}
FROM provider_messages AS message
WHERE attempt_id = $1
ORDER BY id DESC
LIMIT ${MAX_MESSAGES}`,
}

/** The newest messages without their bodies, newest first. */
export async function readMessages(run: Run, attemptId: string): Promise<StoredMessage[]> {
  return run<StoredMessage>(MESSAGES, [attemptId])
}
