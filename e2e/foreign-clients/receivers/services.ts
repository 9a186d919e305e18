import { rm } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { type Service, startService } from '@malipo/local/process'
import { Servers } from '../../processes/servers.ts'
import { FOLDER } from '../tools.ts'

/** Both services, and a merchant with an API key. */

export interface Merchant {
  readonly paymentsUrl: string
  readonly apiKey: string
  /** Sends a request to payments with the key. @throws for another status than 2xx */
  readonly call: (method: string, path: string, body?: object) => Promise<Record<string, unknown>>
}

const SCOPES = ['payments:read', 'payments:write', 'payments:settle', 'webhooks:write']

export async function withMerchant(work: (merchant: Merchant) => Promise<void>): Promise<void> {
  const folder = `${FOLDER}/services`
  await rm(folder, { recursive: true, force: true })
  const servers = await Servers.start(folder)
  const services: Service[] = []
  try {
    const auth = await startService({ name: 'auth', env: servers.environment('auth') })
    services.push(auth)
    const env = {
      ...servers.environment('payments'),
      AUTH_SERVICE_URL: auth.url,
      WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
    }
    const payments = await startService({ name: 'payments', env })
    services.push(payments)
    const apiKey = await newApiKey(auth.url)
    const call: Merchant['call'] = (method, path, body) =>
      request(method, `${payments.url}${path}`, apiKey, body)
    await work({ paymentsUrl: payments.url, apiKey, call })
  } finally {
    for (const service of services.toReversed()) await service.stop()
    await servers.stop()
  }
}

async function newApiKey(authUrl: string): Promise<string> {
  const phone = '+256772000001'
  const password = randomBytes(16).toString('hex')
  await request('POST', `${authUrl}/api/auth/register`, undefined, {
    phone,
    password,
    email: 'merchant@example.com',
  })
  const login = await request('POST', `${authUrl}/api/auth/login`, undefined, { phone, password })
  const token = login.access_token as string
  const key = { name: 'shop server', scopes: SCOPES }
  return (await request('POST', `${authUrl}/api/auth/keys`, token, key)).key as string
}

async function request(method: string, url: string, token: string | undefined, body?: object) {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`)
  return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
}
