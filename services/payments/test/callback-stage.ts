import { createHmac, randomUUID } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '@malipo/kit/bootstrap'
import { createLogger, LOG } from '@malipo/kit/telemetry/logger'
import { Client } from '@malipo/testing/client'
import { freshDatabase } from '@malipo/testing/database'
import { sendRaw } from '@malipo/testing/raw-http'
import type { DynamicModule } from '@nestjs/common'
import { Client as Connection } from 'pg'
import { v7 } from 'uuid'
import { AppModule } from '../src/app.module.js'
import { type AccountClient, CALLBACK_ACCOUNTS } from '../src/callbacks/callback-accounts.js'
import { CALLBACK_STORE } from '../src/callbacks/callback-store.js'
import { CallbacksStore } from '../src/callbacks/callbacks.store.js'
import { nonceOf } from '../src/providers/nonce.js'
import { readEnv } from '../src/env.js'
import { airtelMoney } from '../src/providers/airtel-money/airtel-money.js'
import { mtnMomo } from '../src/providers/mtn-momo/mtn-momo.js'
import { standard } from '../src/providers/standard/standard.js'
import { storeAccounts } from '../src/providers/accounts.store.js'
import { ObservedStore } from './observed-store.js'
import { environment, metric, migrate, untilReady } from './payments.js'
import { runOn } from './payments-database.js'
import { MTN_UGANDA } from './provider-account.js'
import { providersFile } from './provider-stage.js'

/** The service with accounts of both kinds of callbacks, and attempts that the test inserts. */

export const NEW_KEY = 'the newest key of callback URLs, 32 bytes or more'
export const OLD_KEY = 'the previous key of callback URLs, 32 bytes too'

/** A file of callback keys, which tests change. */
export function keysFile(...keys: readonly string[]) {
  const path = join(mkdtempSync(join(tmpdir(), 'malipo-callback-keys-')), 'keys')
  const write = (...others: readonly string[]) => writeFileSync(path, others.join('\n'))
  write(...keys)
  return { path, write }
}

const facts = (name: string) => ({
  name,
  mode: 'sandbox' as const,
  country: 'UG',
  currency: 'UGX',
  digits: 0,
  settings: {},
  credentials: [{ callbackKey: AIRTEL_KEY }],
})

const AIRTEL_KEY = 'zITVAAGYSlzl1WkUQJn81kbpT5drH3koffT8jCkcJJA='

/** `json` expects an answer in JSON, and the adapter of `broken` throws. */
export const CLIENTS = new Map<string, AccountClient>([
  ['mtn-ug', { adapter: mtnMomo, account: facts('mtn-ug') }],
  ['airtel-ug', { adapter: airtelMoney, account: facts('airtel-ug') }],
  ['acme', { adapter: standard, account: facts('acme') }],
  ['json', { adapter: answering('{"ResultCode":0}'), account: facts('json') }],
  ['broken', { adapter: { ...mtnMomo, readCallback: broken }, account: facts('broken') }],
])

function answering(answer: string): AccountClient['adapter'] {
  const { capabilities } = mtnMomo
  return {
    ...mtnMomo,
    capabilities: { ...capabilities, callback: { ...capabilities.callback, answer } },
  }
}

function broken(): never {
  throw new Error('this adapter throws')
}

export async function startCallbacks(own: Record<string, string> = {}) {
  const databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  const lines: string[] = []
  const service = {
    about: AppModule.about,
    with: (env: ReturnType<typeof readEnv>) => withObservation(AppModule.with(env), lines),
  }
  const folder = mkdtempSync(join(tmpdir(), 'malipo-callbacks-'))
  const env = environment({
    DATABASE_URL: databaseUrl,
    LOG_LEVEL: 'debug',
    CALLBACK_KEYS_FILE: keysFile(NEW_KEY, OLD_KEY).path,
    // Queries are refused.
    PROVIDERS_FILE: providersFile(folder, 'http://127.0.0.1:1'),
    ...own,
  })
  const app = await createApp(service, readEnv(env))
  await app.listen(0, '127.0.0.1')
  const client = new Client(await app.getUrl())
  await untilReady(client)
  const connection = new Connection({ connectionString: databaseUrl })
  await connection.connect()
  const names = [...CLIENTS.keys()]
  await storeAccounts(
    runOn(connection),
    names.map((name) => ({ ...MTN_UGANDA, name })),
  )
  return {
    client,
    store: app.get<ObservedStore>(CALLBACK_STORE),
    lines,
    port: Number(new URL(client.url).port),
    count: (account: string, outcome: string) =>
      metric(client, `callbacks_total{account="${account}",outcome="${outcome}"}`),
    addAttempt: (account: string, isOpen = true) => addAttempt(connection, account, isOpen),
    /** The stored callbacks, the oldest first; those of one attempt. */
    async messages(attemptId?: string): Promise<StoredMessage[]> {
      return (await connection.query(MESSAGES, [attemptId ?? null])).rows
    },
    async close() {
      await connection.end()
      await app.close()
    },
  }
}

interface StoredMessage {
  readonly account: string
  readonly attemptId: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
  readonly reading: object
  readonly times: number
}

const MESSAGES = `
  SELECT substr(source, 10) AS account, coalesce(attempt_id::text, reading->>'attemptId') AS "attemptId",
    headers, body AS bytes, reading, times
  FROM provider_messages
  WHERE kind = 'callback' AND ($1::uuid IS NULL OR attempt_id = $1)
  ORDER BY id`

/** An attempt whose query is due in a day, or a declined one. */
async function addAttempt(connection: Connection, account: string, isOpen: boolean) {
  const id = v7()
  const reference = randomUUID().replaceAll('-', '')
  const text = `
    WITH payment AS (
      INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone,
        customer_email, metadata, status, failure, created_at, updated_at, version, account)
      VALUES ($1, $1, 5000, 'UGX', 'MOBILE_MONEY', '+256752123456', 'a@example.com', '{}',
        CASE WHEN $4 THEN 'PENDING' ELSE 'FAILED' END, CASE WHEN NOT $4 THEN 'payer_rejected' END,
        now(), now(), 2, $2)
    ), attempt AS (
      INSERT INTO payment_attempts (id, payment_id, account, reference, state, failure, send_until,
        sent_at, closed_at, created_at, updated_at, version)
      VALUES ($1, $1, $2, $3, CASE WHEN $4 THEN 'accepted' ELSE 'declined' END,
        CASE WHEN NOT $4 THEN 'payer_rejected' END, now(), now(), CASE WHEN NOT $4 THEN now() END,
        now(), now(), 3)
    )
    INSERT INTO attempt_work (attempt_id, account, owner_id, call, due_at)
    SELECT $1, $2, $1, 'query', now() + interval '1 day' WHERE $4`
  await connection.query(text, [id, account, reference, isOpen])
  return { id, reference }
}

export type CallbackStage = Awaited<ReturnType<typeof startCallbacks>>

/** Of two providers with one token, Nest takes the last. */
function withObservation(module: DynamicModule, lines: string[]): DynamicModule {
  const [kit] = module.imports as [DynamicModule]
  const write = (line: string) => lines.push(line)
  kit.providers?.push({ provide: LOG, useValue: createLogger('payments', 'debug', { write }) })
  const accounts = {
    clientOf: (name: string) => CLIENTS.get(name),
    names: () => [...CLIENTS.keys()],
  }
  module.providers?.push(
    CallbacksStore,
    {
      provide: CALLBACK_STORE,
      inject: [CallbacksStore],
      useFactory: (store: CallbacksStore) => new ObservedStore(store),
    },
    { provide: CALLBACK_ACCOUNTS, useValue: accounts },
  )
  return module
}

const agent = new Agent({ keepAlive: true, maxSockets: 2_000 })

/** Sends bytes with these headers and no others, apart from those of the protocol. @returns the status */
export function sendBytes(
  { port }: Pick<CallbackStage, 'port'>,
  path: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  const all = { ...headers, 'content-length': String(body.length) }
  const options = { agent, host: '127.0.0.1', port, method: 'POST', path, headers: all }
  const sent = request(options, (response) => {
    response.resume().on('end', () => resolve(response.statusCode))
  })
  sent.on('error', reject)
  sent.end(body)
  return promise
}

/** The status of a request that announces a body of this length, and sends none of it. */
export async function statusOfLength(
  { port }: Pick<CallbackStage, 'port'>,
  path: string,
  length: number,
): Promise<number> {
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n`
  return (await sendRaw(port, head)).status
}

/** The callback URL of an attempt. */
export function attemptUrl(account: string, id: string = randomUUID(), key = NEW_KEY) {
  return `/api/payments/webhook/${account}/${id}/${nonceOf(Buffer.from(key), account, id)}`
}

export const AIRTEL_URL = '/api/payments/webhook/airtel-ug'

/** A callback of Airtel, signed with the account's key, or with another one. */
export function airtelCallback(reference: string, key = AIRTEL_KEY): string {
  const transaction = `{"id":"${reference}","status_code":"TS","airtel_money_id":"MP1"}`
  const hash = createHmac('sha256', key).update(transaction).digest('base64')
  return `{"transaction":${transaction},"hash":"${hash}"}`
}

export const unsignedCallback = (reference: string) =>
  `{"transaction":{"id":"${reference}","status_code":"TS","airtel_money_id":"MP1"}}`
