import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { ACTION_COLUMNS, actionValues, insertActions } from '../operator-actions/action-insert.js'
import type { OperatorAction } from '../operator-actions/operator-action.js'
import { MESSAGE_VIEW_COLUMNS, type MessageContent } from './message.view.js'

// `encode` breaks base64 into lines.
const CONTENT = `
  ${MESSAGE_VIEW_COLUMNS},
  message.headers,
  replace(encode(message.body, 'base64'), chr(10), '') AS body,
  encode(message.body_hash, 'hex') AS "bodyHash",
  message.reading,
  ${isoTime('message.occurred_at')} AS "occurredAt"`

const READ: Statement = {
  name: 'provider_message_read',
  text: `
WITH input AS (
  SELECT * FROM json_to_recordset($1) AS input (nth integer, message_id uuid, ${ACTION_COLUMNS})
), recorded AS (${insertActions({
    from: 'input JOIN provider_messages AS message ON message.id = message_id',
    attemptId: 'message.attempt_id',
    paymentId: 'message.payment_id',
    messageId: 'message_id',
  })}
)
SELECT nth, ${CONTENT}
FROM input
JOIN provider_messages AS message ON message.id = message_id`,
  batched: { evenIfAborted: true },
}

/** Reads a message with its body, and records that; undefined if there is no such message. */
export async function readByOperator(
  run: Run,
  messageId: string,
  action: OperatorAction,
): Promise<MessageContent | undefined> {
  const [found] = await run<MessageContent>(READ, [
    { message_id: messageId, ...actionValues(action) },
  ])
  return found
}

const FIND: Statement = {
  name: 'provider_message_find',
  text: `
SELECT ${CONTENT}
FROM provider_messages AS message
WHERE id = $1`,
}

/** Reads a message for the service itself. */
export async function findMessage(run: Run, id: string): Promise<MessageContent | undefined> {
  const [found] = await run<MessageContent>(FIND, [id])
  return found
}

const FIND_ATTEMPT: Statement = {
  name: 'provider_message_find_attempt',
  text: `
SELECT id
FROM payment_attempts
WHERE account = $1 AND id = $2
UNION ALL
SELECT id
FROM payment_attempts
WHERE account = $1 AND reference = $3 AND $2::uuid IS NULL
UNION ALL
SELECT id
FROM payment_attempts
WHERE account = $1 AND provider_reference = $4 AND $2::uuid IS NULL
LIMIT 1`,
}

/** What a callback states of its attempt. */
export interface CallbackSubject {
  /** Of its URL: then nothing in the body names another one. */
  readonly attemptId: string | undefined
  readonly reference: string | undefined
  readonly providerReference: string | undefined
}

/** The attempt that a parked callback is about, if there is one now. */
export async function findAttemptOf(
  run: Run,
  account: string,
  { attemptId, reference, providerReference }: CallbackSubject,
): Promise<string | undefined> {
  const values = [account, attemptId, reference, providerReference].map((value) => value ?? null)
  const [found] = await run<{ id: string }>(FIND_ATTEMPT, values)
  return found?.id
}

const REPLAY_WITHOUT_EFFECT: Statement = {
  name: 'provider_message_replay_record',
  text: `
WITH input AS (
  SELECT * FROM json_to_recordset($1) AS input (nth integer, message_id uuid, ${ACTION_COLUMNS})
)${insertActions({
    from: 'input JOIN provider_messages AS message ON message.id = message_id',
    attemptId: 'message.attempt_id',
    paymentId: 'message.payment_id',
    messageId: 'message_id',
  })}`,
  batched: { evenIfAborted: true },
}

/** Records a replay that changes nothing. */
export async function recordReplay(
  run: Run,
  messageId: string,
  action: OperatorAction,
): Promise<void> {
  await run(REPLAY_WITHOUT_EFFECT, [{ message_id: messageId, ...actionValues(action) }])
}
