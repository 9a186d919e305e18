import { createHash } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Answer } from '@malipo/testing/conformity'
import { Client as Connection } from 'pg'
import { v7 } from 'uuid'
import { inject } from 'vitest'
import type { AttemptState } from '../src/attempts/states.js'
import type { MessageKind, MessageVerdict } from '../src/messages/message-insert.js'
import { batchOn, createAttempt } from './attempts-database.js'
import { grant, newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { providersFile } from './provider-stage.js'

/** The service with accounts whose provider does not respond, attempts in any state, and operators. */

export interface OperatorStage {
  readonly payments: Payments
  /** Three operators. */
  readonly operators: readonly [Operator, Operator, Operator]
  readonly merchant: User
  /** Stores a payment with an attempt in a state, which no replica calls by itself. */
  charge(state: AttemptState, own?: ChargeOptions): Promise<Charge>
  /** Stores a message of a provider; @returns its id */
  message(own: MessageOptions): Promise<string>
  attempt(id: string): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export interface Charge {
  readonly attemptId: string
  readonly paymentId: string
  /** `PAY-…` */
  readonly payment: string
  /** Of the attempt. */
  readonly reference: string
}

interface ChargeOptions {
  readonly attention?: string
  readonly account?: string
  readonly owner?: string
}

interface MessageOptions {
  readonly body: string
  readonly verdict?: MessageVerdict
  readonly kind?: MessageKind
  readonly account?: string
  readonly attemptId?: string
  readonly outcome?: string
  readonly reading?: object
}

/** The requests of an operator, or of another user. */
export function operatorOf({ id, token }: User, { client }: Pick<Payments, 'client'>) {
  const get = (path: string) => client.get(`/api${path}`, { token })
  const post = (path: string, body?: unknown) => client.post(`/api${path}`, body, { token })
  return {
    id,
    token,
    list: (query = '') => get(`/attempts${query}`),
    get: (attempt: string) => get(`/attempts/${attempt}`),
    query: (attempt: string) => post(`/attempts/${attempt}/query`),
    resolve: (attempt: string, body: unknown) => post(`/attempts/${attempt}/resolve`, body),
    confirm: (attempt: string, proposal: string, body: unknown) =>
      post(`/attempts/${attempt}/resolve/${proposal}/confirm`, body),
    cancel: (attempt: string, proposal: string) =>
      client.send('DELETE', `/api/attempts/${attempt}/resolve/${proposal}`, { token }),
    messages: (query = '') => get(`/provider-messages${query}`),
    message: (message: string) => get(`/provider-messages/${message}`),
    replay: (message: string) => post(`/provider-messages/${message}/replay`),
    actions: (query = '') => get(`/operator-actions${query}`),
    payments: (query = '') => get(`/payments${query}`),
    events: (reference: string) => get(`/payments/${reference}/events`),
    payment: (reference: string) => get(`/payments/${reference}`),
  }
}

export type Operator = ReturnType<typeof operatorOf>

/** @param adminUrl of a superuser, if the service has another role */
export async function startOperatorStage(
  mode: 'sandbox' | 'live',
  own: Record<string, string> = {},
  adminUrl = own.DATABASE_URL,
): Promise<OperatorStage> {
  const authUrl = inject(mode === 'live' ? 'liveAuthUrl' : 'authUrl')
  const folder = mkdtempSync(join(tmpdir(), 'malipo-operators-'))
  const payments = await startPayments({
    MODE: mode,
    AUTH_SERVICE_URL: authUrl,
    PROVIDERS_FILE: providersFile(folder, 'https://127.0.0.1:1', { mode }),
    // The accounts of the stage have no webhooks.
    WEBHOOK_SECRETS: '',
    ...own,
  })
  const newOperator = async () =>
    operatorOf(await grant(await newUser(authUrl), 'payments:admin', mode), payments)
  const operators = [await newOperator(), await newOperator(), await newOperator()] as const
  const connection = new Connection({ connectionString: adminUrl ?? payments.databaseUrl })
  await connection.connect()
  await untilAccounts(payments)
  return {
    payments,
    operators,
    merchant: await newUser(authUrl),
    charge: (state, own) => storeCharge(connection, state, own),
    message: (own) => storeMessage(connection, own),
    async attempt(id) {
      const [row] = await payments.sql<Record<string, unknown>>(
        `SELECT attempt.*, work.call, work.due_at = 'infinity' AS idle, work.tries
         FROM payment_attempts AS attempt LEFT JOIN attempt_work AS work ON attempt_id = id WHERE id = $1`,
        id,
      )
      return row ?? {}
    },
    async close() {
      await connection.end()
      await payments.close()
    },
  }
}

async function untilAccounts({ sql }: Payments): Promise<void> {
  while ((await sql('SELECT FROM provider_accounts')).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** In one transaction, so that no replica sends the attempt. */
async function storeCharge(
  connection: Connection,
  state: AttemptState,
  { attention, account = 'mtn-ug', owner = v7() }: ChargeOptions = {},
): Promise<Charge> {
  await connection.query('BEGIN')
  const { paymentId, attemptId, reference } = await createAttempt(batchOn(connection))
  // Without triggers, which allow no such history.
  await connection.query('SET LOCAL session_replication_role = replica')
  const isClosed = ['succeeded', 'declined', 'not_sent'].includes(state)
  const values = [attemptId, state, account, attention]
  await connection.query(
    `UPDATE payment_attempts
     SET state = $2, account = $3, attention = $4, attention_at = CASE WHEN $4::text IS NOT NULL THEN now() END,
       sent_at = CASE WHEN $2 <> 'queued' THEN now() END, send_until = now() + interval '1 day',
       closed_at = CASE WHEN $5 THEN now() END, closed_cause = CASE WHEN $5 THEN 'query' END,
       failure = CASE WHEN $2 IN ('declined', 'not_sent') THEN 'provider_error' END
     WHERE id = $1`,
    [...values, isClosed],
  )
  const status =
    state === 'queued'
      ? 'INITIATED'
      : { succeeded: 'SUCCESS', declined: 'FAILED', not_sent: 'FAILED' }[state as string]
  await connection.query(
    `UPDATE payments
     SET status = $2, account = $3, owner_id = $4, needs_attention = $5, attempt_version = 1
     WHERE id = $1`,
    [paymentId, status ?? 'PENDING', account, owner, attention !== undefined],
  )
  await connection.query(
    `UPDATE attempt_work SET call = $2, account = $3, owner_id = $4, due_at = 'infinity',
       send_until = now() + interval '1 day' WHERE attempt_id = $1`,
    [attemptId, state === 'queued' ? 'send' : 'query', account, owner],
  )
  if (isClosed)
    await connection.query('DELETE FROM attempt_work WHERE attempt_id = $1', [attemptId])
  await connection.query('COMMIT')
  return { attemptId, paymentId, payment: `PAY-${paymentId}`, reference }
}

async function storeMessage(connection: Connection, own: MessageOptions): Promise<string> {
  const { body, verdict = 'unsigned', kind = 'callback', account = 'airtel-ug', attemptId } = own
  const id = v7()
  await connection.query(
    `INSERT INTO provider_messages
       (id, source, kind, verdict, headers, body, body_hash, reading, outcome, attempt_id, payment_id,
        received_at, last_at, last_operation_id)
     VALUES ($1, $2, $3, $4, '{"content-type": "application/json"}', $5, $6, $7, $8, $9,
       (SELECT payment_id FROM payment_attempts WHERE id = $9), now(), now(), $1)`,
    [
      id,
      `provider:${account}`,
      kind,
      verdict,
      Buffer.from(body),
      createHash('sha256').update(body).digest(),
      own.reading ?? {},
      own.outcome ?? (attemptId === undefined ? 'parked' : 'stored'),
      attemptId ?? null,
    ],
  )
  return id
}

/** The type of a problem, without its path. */
export function problemOf({ status, body }: Answer): string {
  return `${status} ${String(body.type).split('/').at(-1)}`
}
