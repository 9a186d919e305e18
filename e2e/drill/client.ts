import { createHmac, randomInt, randomUUID } from 'node:crypto'
import type { Call } from './edge.ts'
import type { Wish } from './journal.ts'

/** What clients and a provider of Malipo send: the requests of the contract, and nothing that sends them. */

/** A payment as its answers show it. */
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

export function register(account: Account): Wish {
  const call = { method: 'POST', path: '/api/auth/register', body: account } as const
  return { kind: 'register', call, expected: 201 }
}

export function login({ phone, password }: Account): Wish {
  const call = { method: 'POST', path: '/api/auth/login', body: { phone, password } } as const
  return { kind: 'login', call, expected: 200 }
}

/** The access token that a login was answered with. */
export function tokenIn(body: unknown): string {
  return (body as { access_token: string }).access_token
}

export function logout(token: string): Call {
  return { method: 'POST', path: '/api/auth/logout', headers: bearer(token) }
}

/** The caller's own payments, the newest: a use of a token that changes nothing. */
export function list(token: string): Call {
  return { method: 'GET', path: '/api/payments?limit=1', headers: bearer(token) }
}

export function create(token: string, amount: number, key: string = randomUUID()): Wish {
  const body = {
    amount,
    currency: 'UGX',
    paymentMethod: 'MOBILE_MONEY',
    customerPhone: '+256772123456',
    customerEmail: 'customer@example.com',
    metadata: { key },
  }
  const headers = { ...bearer(token), 'idempotency-key': key }
  const call = { method: 'POST', path: '/api/payments', headers, body } as const
  return { kind: 'create', call, expected: 201, key }
}

export function read(token: string, { reference, version }: Payment): Wish {
  const call = {
    method: 'GET',
    path: `/api/payments/${reference}`,
    headers: bearer(token),
  } as const
  return { kind: 'read', call, expected: 200, reference, known: version }
}

export function move(token: string, { reference, version }: Payment): Wish {
  const key = randomUUID()
  const headers = { ...bearer(token), 'idempotency-key': key }
  const path = `/api/payments/${reference}/status`
  const call = { method: 'POST', path, headers, body: { status: 'PENDING' } } as const
  return { kind: 'move', call, expected: 200, key, reference, known: version }
}

/** A provider's news of a payment, signed as Standard Webhooks says. */
export function webhook(
  secret: string,
  { reference, version }: Payment,
  status: string,
  id = `wh-${randomUUID()}`,
): Wish {
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
  const call = { method: 'POST', path, headers, body } as const
  return { kind: 'webhook', call, expected: 200, key: id, reference, known: version }
}

function bearer(token: string) {
  return { authorization: `Bearer ${token}` }
}
