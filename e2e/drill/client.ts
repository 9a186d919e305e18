import { createHmac, randomInt, randomUUID } from 'node:crypto'
import type { HttpRequest } from './http.ts'
import type { Operation } from './journal.ts'

/** Builders of the requests that clients and a provider send. */

/** A payment in a response. */
export interface Payment {
  readonly id: string
  readonly reference: string
  readonly amount: string
  readonly currency: string
  readonly status: string
  readonly version: number
  readonly updatedAt: string
}

export interface Account {
  readonly phone: string
  readonly email: string
  readonly password: string
}

export function newAccount(): Account {
  return {
    phone: `+25677${randomInt(1_000_000, 9_999_999)}`,
    email: `${randomUUID()}@example.com`,
    password: randomUUID(),
  }
}

export function register(account: Account): Operation {
  const request = { method: 'POST', path: '/api/auth/register', body: account } as const
  return { kind: 'register', request, expectedStatus: 201 }
}

export function login({ phone, password }: Account): Operation {
  const request = { method: 'POST', path: '/api/auth/login', body: { phone, password } } as const
  return { kind: 'login', request, expectedStatus: 200 }
}

/** The access token in the response to a login. */
export function tokenIn(body: unknown): string {
  return (body as { access_token: string }).access_token
}

export function logout(token: string): HttpRequest {
  return { method: 'POST', path: '/api/auth/logout', headers: bearer(token) }
}

/** Lists the caller's latest payment: a use of a token without side effects. */
export function list(token: string): HttpRequest {
  return { method: 'GET', path: '/api/payments?limit=1', headers: bearer(token) }
}

export function create(token: string, amount: number, key: string = randomUUID()): Operation {
  const body = {
    amount,
    currency: 'UGX',
    paymentMethod: 'MOBILE_MONEY',
    customerPhone: '+256772123456',
    customerEmail: 'customer@example.com',
    metadata: { key },
  }
  const headers = { ...bearer(token), 'idempotency-key': key }
  const request = { method: 'POST', path: '/api/payments', headers, body } as const
  return { kind: 'create', request, expectedStatus: 201, key }
}

export function read(token: string, { reference, version }: Payment): Operation {
  const request = {
    method: 'GET',
    path: `/api/payments/${reference}`,
    headers: bearer(token),
  } as const
  return { kind: 'read', request, expectedStatus: 200, reference, knownVersion: version }
}

export function move(token: string, { reference, version }: Payment): Operation {
  const key = randomUUID()
  const headers = { ...bearer(token), 'idempotency-key': key }
  const path = `/api/payments/${reference}/status`
  const request = { method: 'POST', path, headers, body: { status: 'PENDING' } } as const
  return { kind: 'move', request, expectedStatus: 200, key, reference, knownVersion: version }
}

/** A provider's webhook, signed according to Standard Webhooks. */
export function webhook(
  secret: string,
  { reference, version }: Payment,
  status: string,
  id = `wh-${randomUUID()}`,
): Operation {
  const now = new Date()
  const body = {
    webhookId: id,
    reference,
    status,
    providerTransactionId: `MTN-${randomInt(1_000_000_000)}`,
    timestamp: now.toISOString(),
  }
  const seconds = String(Math.floor(now.getTime() / 1000))
  const mac = createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
  const signature = mac.update(`${id}.${seconds}.${JSON.stringify(body)}`).digest('base64')
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': seconds,
    'webhook-signature': `v1,${signature}`,
  }
  const path = '/api/payments/webhook/provider'
  const request = { method: 'POST', path, headers, body } as const
  return {
    kind: 'webhook',
    request,
    expectedStatus: 200,
    key: id,
    reference,
    knownVersion: version,
  }
}

function bearer(token: string) {
  return { authorization: `Bearer ${token}` }
}
