import { spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 } from 'uuid'
import type { Payments } from './payments.js'
import { environment } from './payments.js'

/** The built `erase` command, and rows with personal data that the service stores in other tests. */

const SCRIPT = join(import.meta.dirname, '../dist/cli/erase.js')

export const KEY = 'a key of pseudonyms, long enough for HMAC'

/** A file with keys of pseudonyms, the newest first. */
export function keysFile(...keys: string[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'malipo-erasure-')), 'keys')
  writeFileSync(path, keys.join('\n'))
  return path
}

const ERASURE_KEYS_FILE = keysFile(KEY)

export interface Run {
  readonly code: number | null
  readonly lines: string[]
  readonly err: string
}

/** Runs a built command with the role that owns the tables, unless `own` has another. */
export function erase(
  databaseUrl: string,
  args: string[],
  own: Record<string, string | undefined> = {},
  script = SCRIPT,
): Promise<Run> {
  const env = environment({ DATABASE_URL: databaseUrl, ERASURE_KEYS_FILE, ...own })
  const child = spawn(process.execPath, [script, ...args], { env })
  return new Promise((resolve) => {
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on('data', (data: Buffer) => (err += data.toString()))
    child.on('close', (code) => resolve({ code, lines: out.split('\n').filter(Boolean), err }))
  })
}

/** A payer with a unique phone and email. */
export function newPayer() {
  const digits = Array.from({ length: 7 }, () => Math.floor(Math.random() * 10)).join('')
  const national = `77${digits}`
  return { phone: `+256${national}`, national, email: `payer.${digits}@example.com` }
}

export type Payer = ReturnType<typeof newPayer>

export const paying = ({ phone, email }: Payer) => ({ customerPhone: phone, customerEmail: email })

/** Stores many terminal payments of a payer. */
export async function insertPayments(
  { sql }: Pick<Payments, 'sql'>,
  { phone, email }: Payer,
  count: number,
): Promise<void> {
  await sql(
    `WITH created AS (
       INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone,
                             customer_email, metadata, status, created_at, updated_at, version)
       SELECT uuidv7(), gen_random_uuid(), n, 'UGX', 'MOBILE_MONEY', $1, $2, '{}', 'FAILED', now(), now(), 1
       FROM generate_series(1, $3) AS n
       RETURNING *)
     INSERT INTO payment_events (payment_id, version, operation_id, to_status, at, actor, cause)
     SELECT id, 1, gen_random_uuid(), 'FAILED', now(), 'x', 'create' FROM created`,
    phone,
    email,
    count,
  )
}

/** Stores a notification with a body, its delivery and a try. */
export async function insertNotification(
  { sql }: Pick<Payments, 'sql'>,
  paymentId: string,
  { phone, email }: Payer,
): Promise<void> {
  const [id, delivery, endpoint] = [v7(), v7(), v7()]
  const body = JSON.stringify({ data: { customerPhone: phone, customerEmail: email } })
  await sql(
    `INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
     VALUES ($1, $1, 'payment.pending', $2, 2, $3, now())`,
    id,
    paymentId,
    body,
  )
  await sql(
    `INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at)
     VALUES ($1, $2, $3, 'delivered', now())`,
    delivery,
    id,
    endpoint,
  )
  await sql(
    `INSERT INTO delivery_tries (delivery_id, nth, operation_id, at, took_ms, status, answer)
     VALUES ($1, 1, $1, now(), 1, 200, $2)`,
    delivery,
    `received ${phone}`,
  )
}

/** Stores what operators wrote about a payment, with the payer’s phone and email in it. */
export async function insertTexts(
  { sql }: Pick<Payments, 'sql'>,
  paymentId: string,
  { national, email }: Payer,
): Promise<void> {
  const text = `called 0${national}, wrote to ${email}`
  await sql(
    `INSERT INTO operator_actions (id, at, operator, action, payment_id, reason, evidence, details)
     VALUES ($1, now(), $1, 'read_body', $2, $3, $3, '{}')`,
    v7(),
    paymentId,
    text,
  )
  await sql(
    `INSERT INTO attempt_events (attempt_id, version, operation_id, from_state, to_state, cause, actor, reason, at)
     SELECT id, 100, $2, state, state, 'operator', 'x', $3, now() FROM payment_attempts WHERE payment_id = $1`,
    paymentId,
    v7(),
    text,
  )
  await sql(
    `INSERT INTO attempt_proposals
       (id, attempt_id, attempt_version, proposed_by, reason, evidence, created_at, expires_at,
        ended_as, ended_by, ended_at)
     SELECT $2, id, 1, $2, $3, $3, now(), now(), 'cancelled', $2, now()
     FROM payment_attempts WHERE payment_id = $1`,
    paymentId,
    v7(),
    text,
  )
}

/** Stores a callback that belongs to no attempt. */
export async function insertParked({ sql }: Pick<Payments, 'sql'>, body: string): Promise<string> {
  const id = v7()
  await sql(
    `INSERT INTO provider_messages
       (id, source, kind, verdict, headers, body, body_hash, reading, outcome, received_at, last_at,
        last_operation_id)
     VALUES ($1, 'provider:airtel-ug', 'callback', 'unsigned', '{"x-forwarded-for": "192.0.2.1"}', $2, $3,
       '{}', 'parked', now(), now(), $1)`,
    id,
    Buffer.from(body),
    hash('sha256', body, 'buffer'),
  )
  return id
}
