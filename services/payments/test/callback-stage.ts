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
import { AppModule } from '../src/app.module.js'
import { type AccountClient, CALLBACK_ACCOUNTS } from '../src/callbacks/callback-accounts.js'
import { CALLBACK_STORE } from '../src/callbacks/callback-store.js'
import { nonceOf } from '../src/providers/nonce.js'
import { readEnv } from '../src/env.js'
import { airtelMoney } from '../src/providers/airtel-money/airtel-money.js'
import { mtnMomo } from '../src/providers/mtn-momo/mtn-momo.js'
import { standard } from '../src/providers/standard/standard.js'
import { StoreDouble } from './callback-store-double.js'
import { environment, metric, migrate, untilReady } from './payments.js'

/** The service with accounts of both kinds of callbacks, in front of a store that keeps them in memory. */

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
  const store = new StoreDouble()
  const lines: string[] = []
  const service = {
    about: AppModule.about,
    with: (env: ReturnType<typeof readEnv>) => withDoubles(AppModule.with(env), store, lines),
  }
  const CALLBACK_KEYS_FILE = keysFile(NEW_KEY, OLD_KEY).path
  const env = environment({
    DATABASE_URL: databaseUrl,
    LOG_LEVEL: 'debug',
    CALLBACK_KEYS_FILE,
    ...own,
  })
  const app = await createApp(service, readEnv(env))
  await app.listen(0, '127.0.0.1')
  const client = new Client(await app.getUrl())
  await untilReady(client)
  return {
    client,
    store,
    lines,
    port: Number(new URL(client.url).port),
    count: (account: string, outcome: string) =>
      metric(client, `callbacks_total{account="${account}",outcome="${outcome}"}`),
    close: () => app.close(),
  }
}

export type CallbackStage = Awaited<ReturnType<typeof startCallbacks>>

/** Of two providers with one token, Nest takes the last. */
function withDoubles(module: DynamicModule, store: StoreDouble, lines: string[]): DynamicModule {
  const [kit] = module.imports as [DynamicModule]
  const write = (line: string) => lines.push(line)
  kit.providers?.push({ provide: LOG, useValue: createLogger('payments', 'debug', { write }) })
  const accounts = {
    clientOf: (name: string) => CLIENTS.get(name),
    names: () => [...CLIENTS.keys()],
  }
  module.providers?.push(
    { provide: CALLBACK_STORE, useValue: store },
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
