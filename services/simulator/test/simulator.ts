import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@malipo/kit/telemetry/logger'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { onTestFinished } from 'vitest'
import { type Accounts, readAccounts } from '../src/accounts.js'
import { readEnv } from '../src/env.js'
import { createSimulator } from '../src/simulator.js'

/** Support of the tests: the simulator in this process, its accounts, and a server that receives callbacks. */

export const MTN_SANDBOX = {
  userId: '0f0e0d0c-0b0a-4908-8706-050403020100',
  apiKey: 'sandbox api key',
  subscriptionKey: 'sandbox subscription',
  targetEnvironment: 'sandbox',
  callbackHost: 'localhost',
}
export const MTN_UGANDA = {
  userId: 'dXNlcg==',
  apiKey: 'a:token%',
  subscriptionKey: 'uganda subscription',
  targetEnvironment: 'mtnuganda',
  platform: 'new',
  callbackHost: 'localhost',
  callbackMethod: 'PUT',
}
export const AIRTEL = {
  clientId: 'client',
  clientSecret: 'secret',
  country: 'UG',
  currency: 'UGX',
  callbackKey: 'callback key',
}
export const STANDARD = {
  name: 'bank',
  apiKey: 'bank-key',
  currency: 'UGX',
  callbackHost: 'localhost',
  webhookSecret: `whsec_${Buffer.alloc(32, 'webhook').toString('base64')}`,
}

export const newFolder = () => mkdtempSync(join(tmpdir(), 'malipo-simulator-'))

/** @param callbackUrl the URL of Airtel's callbacks */
export function accountsFile(folder: string, callbackUrl?: string): string {
  const path = join(folder, 'accounts.json')
  const airtelMoney = [{ ...AIRTEL, callbackUrl }]
  const accounts = { mtnMomo: [MTN_SANDBOX, MTN_UGANDA], airtelMoney, standard: [STANDARD] }
  writeFileSync(path, JSON.stringify(accounts))
  return path
}

interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly callbackUrl?: string
  readonly folder?: string
  /** Changes the accounts. */
  readonly accounts?: (accounts: Accounts) => Accounts
}

export interface Simulator {
  readonly server: FastifyInstance
  readonly folder: string
  /** A header that is undefined is not sent. */
  request(options: InjectOptions): Promise<{ status: number; body: unknown; text: string }>
  close(): Promise<void>
}

/** Starts the simulator, by default without waits. It is closed when the test ends. */
export async function startSimulator(options: Options = {}): Promise<Simulator> {
  const { env: own, callbackUrl, folder = newFolder(), accounts = (all) => all } = options
  const env = readEnv({
    MODE: 'sandbox',
    ACCOUNTS_FILE: accountsFile(folder, callbackUrl),
    BOOK_FILE: join(folder, 'book.jsonl'),
    TIME_SCALE: '0',
    ...own,
  })
  const log = createLogger('simulator', 'silent')
  const server = createSimulator(env, accounts(readAccounts(env.ACCOUNTS_FILE)), log)
  await server.listen({ port: 0, host: '127.0.0.1' })
  let isClosed = false
  const close = async () => {
    if (!isClosed) await server.close()
    isClosed = true
  }
  onTestFinished(close)
  return {
    server,
    folder,
    close,
    async request(options) {
      const given = Object.entries(options.headers ?? {}).filter(([, value]) => value !== undefined)
      const request = { ...options, headers: Object.fromEntries(given) }
      const { statusCode: status, payload: text, headers } = await server.inject(request)
      const isJson = String(headers['content-type']).startsWith('application/json')
      return { status, text, body: isJson && text !== '' ? JSON.parse(text) : undefined }
    },
  }
}

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly at: number
}

/** A merchant that receives callbacks. It is closed when the test ends. */
export async function startMerchant(onCallback: () => void = () => undefined) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const body = Buffer.concat(chunks).toString()
      received.push({ method, path, headers, body, at: Date.now() })
      onCallback()
      response.end()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { received, port, url: `http://localhost:${port}` }
}

export async function mtnToken(simulator: Simulator, account = MTN_SANDBOX): Promise<string> {
  const { body } = await simulator.request({
    method: 'POST',
    url: '/collection/token/',
    headers: mtnTokenHeaders(account),
  })
  return (body as { access_token: string }).access_token
}

export function mtnTokenHeaders({ userId, apiKey, ...account } = MTN_SANDBOX) {
  return {
    authorization: `Basic ${Buffer.from(`${userId}:${apiKey}`).toString('base64')}`,
    'ocp-apim-subscription-key': account.subscriptionKey,
    'x-target-environment': account.targetEnvironment,
  }
}

export async function mtnHeaders(simulator: Simulator, account = MTN_SANDBOX) {
  const authorization = `Bearer ${await mtnToken(simulator, account)}`
  return { ...mtnTokenHeaders(account), authorization }
}

export const REQUEST_TO_PAY = {
  amount: '50',
  currency: 'EUR',
  externalId: '42',
  payer: { partyIdType: 'MSISDN', partyId: '256772123456' },
  payerMessage: 'Order 42',
  payeeNote: 'Order 42',
}

export async function airtelHeaders(simulator: Simulator) {
  const { body } = await simulator.request({
    method: 'POST',
    url: '/auth/oauth2/token',
    payload: {
      client_id: AIRTEL.clientId,
      client_secret: AIRTEL.clientSecret,
      grant_type: 'client_credentials',
    },
  })
  const { access_token } = body as { access_token: string }
  return { authorization: `Bearer ${access_token}`, 'x-country': 'UG', 'x-currency': 'UGX' }
}
