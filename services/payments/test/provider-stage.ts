import { mkdtempSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Service, startService } from '@malipo/local/process'
import { newUser } from './auth.js'
import { type Payments, SECRETS, startPayments } from './payments.js'
import { as, type As } from './requests.js'

/** The service with the simulator: an account of each adapter, all in UGX. */

const MTN = {
  userId: 'dXNlcg==',
  apiKey: 'a:token%with+punctuation',
  subscriptionKey: 'subscription-key',
  targetEnvironment: 'mtnuganda',
  platform: 'new',
  callbackHost: 'localhost',
  queriesPerSecond: 1_000,
}
const AIRTEL = {
  clientId: 'client',
  clientSecret: 'client-secret',
  country: 'UG',
  currency: 'UGX',
  callbackKey: 'zITVAAGYSlzl1WkUQJn81kbpT5drH3koffT8jCkcJJA=',
}
const STANDARD = { name: 'acme', apiKey: 'acme-key', currency: 'UGX' }
export const ACME_SECRET = `whsec_${Buffer.alloc(32, 'acme').toString('base64')}`

export interface ProviderStage {
  readonly payments: Payments
  readonly user: As
  readonly simulator: Service
  /** What the simulator knows of a charge, by the reference of its payment's attempt. */
  charges(): Promise<readonly SimulatedCharge[]>
  close(): Promise<void>
}

interface SimulatedCharge {
  readonly reference: string
  readonly end: { readonly outcome: string; readonly reported: boolean }
}

export const LIMITS = { min: 500, max: 5_000_000, rate: 1_000, pollRate: 1_000, maxInFlight: 50 }

/** The PROVIDERS_FILE of the stage. */
export function providersFile(folder: string, baseUrl: string, own: object = {}): string {
  const secret = (name: string, value: string) => fileIn(folder, name, value)
  const account = {
    mode: 'sandbox',
    baseUrl,
    country: 'UG',
    currency: 'UGX',
    merchants: ['*'],
    limits: LIMITS,
    ...own,
  }
  const accounts = [
    {
      ...account,
      name: 'mtn-ug',
      adapter: 'mtn-momo',
      credentials: {
        userIdFile: secret('mtn-user', MTN.userId),
        apiKeyFile: secret('mtn-key', MTN.apiKey),
        subscriptionKeyFile: secret('mtn-subscription', MTN.subscriptionKey),
      },
      settings: { targetEnvironment: MTN.targetEnvironment },
    },
    {
      ...account,
      name: 'airtel-ug',
      adapter: 'airtel-money',
      credentials: {
        clientIdFile: secret('airtel-id', AIRTEL.clientId),
        clientSecretFile: secret('airtel-secret', AIRTEL.clientSecret),
        callbackKeyFile: secret('airtel-callback-key', AIRTEL.callbackKey),
      },
    },
    {
      ...account,
      name: 'acme',
      adapter: 'standard',
      credentials: { apiKeyFile: secret('acme-key', STANDARD.apiKey) },
    },
  ]
  // JSON is YAML.
  return fileIn(folder, 'providers.yaml', JSON.stringify({ accounts }))
}

export function fileIn(folder: string, name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** @param own the environment of the service, apart from that of the stage */
export async function startProviderStage(own: Record<string, string> = {}): Promise<ProviderStage> {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-providers-'))
  const callbacks = await startForwarder()
  const accounts = {
    mtnMomo: [{ ...MTN, callbackHost: `localhost:${callbacks.port}` }],
    airtelMoney: [{ ...AIRTEL, callbackUrl: `${callbacks.origin}/api/payments/webhook/airtel-ug` }],
    standard: [
      {
        ...STANDARD,
        callbackHost: `localhost:${callbacks.port}`,
        webhookSecret: ACME_SECRET,
      },
    ],
  }
  const simulator = await startService({
    name: 'simulator',
    env: {
      MODE: 'sandbox',
      ACCOUNTS_FILE: fileIn(folder, 'accounts.json', JSON.stringify(accounts)),
      BOOK_FILE: join(folder, 'book.jsonl'),
      TIME_SCALE: '0.01',
    },
  })
  const payments = await startPayments({
    PROVIDERS_FILE: providersFile(folder, simulator.url, { callbackOrigin: callbacks.origin }),
    PROVIDER_TIME_SCALE: '0.01',
    WEBHOOK_SECRETS: `manual=${SECRETS.new},acme=${ACME_SECRET}`,
    ...own,
  })
  callbacks.forwardTo(Number(new URL(payments.client.url).port))
  return {
    payments,
    user: as(await newUser(), payments),
    simulator,
    async charges() {
      const response = await fetch(`${simulator.url}/admin/charges`)
      return ((await response.json()) as { data: SimulatedCharge[] }).data
    },
    async close() {
      await payments.close()
      await simulator.stop()
      callbacks.close()
    },
  }
}

/** A port for callbacks that is known before the service has one. */
async function startForwarder() {
  let target = 0
  const server = createServer((socket) => {
    const upstream = connect(target, '127.0.0.1')
    socket.on('error', () => upstream.destroy()).pipe(upstream)
    upstream.on('error', () => socket.destroy()).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://localhost:${port}`,
    forwardTo: (other: number) => (target = other),
    close: () => server.close(),
  }
}
