import { randomUUID } from 'node:crypto'
import type { Answer } from '@malipo/testing/conformity'
import { Webhook } from 'standardwebhooks'
import { expect } from 'vitest'
import { type Payments, SECRETS } from './payments.js'

/** Helpers for the requests that tests send. */

type Sender = { readonly token: string }
type Headers = Record<string, string>

/** The body of a request to create a payment. A field that `changes` sets to undefined is omitted. */
export function paymentInput(changes: Record<string, unknown> = {}) {
  return {
    amount: 5000,
    currency: 'UGX',
    paymentMethod: 'MOBILE_MONEY',
    customerPhone: '+256772123456',
    customerEmail: 'amina@example.com',
    ...changes,
  }
}

/** The body of a webhook with a new id. */
export function webhookBody(
  reference: string,
  status: string,
  changes: Record<string, unknown> = {},
) {
  return {
    webhookId: `evt-${randomUUID()}`,
    reference,
    status,
    providerTransactionId: 'MP240101.1200.A1',
    timestamp: '2026-01-31T12:00:00.000Z',
    ...changes,
  }
}

/** The requests of one user. */
export function as({ token }: Sender, { client }: Pick<Payments, 'client'>) {
  return {
    create: (changes: Record<string, unknown> = {}, headers: Headers = {}) =>
      client.post('/api/payments', paymentInput(changes), { token, headers }),
    createText: (body: string) => client.post('/api/payments', body, { token }),
    get: (reference: string) => client.get(`/api/payments/${reference}`, { token }),
    list: (query = '') => client.get(`/api/payments${query}`, { token }),
    events: (reference: string) => client.get(`/api/payments/${reference}/events`, { token }),
    move: (reference: string, status: string, headers: Headers = {}, more: object = {}) =>
      client.post(`/api/payments/${reference}/status`, { status, ...more }, { token, headers }),
    webhook: (body: unknown, headers: Headers = {}) =>
      client.post('/api/payments/webhook/provider', body, { token, headers }),
  }
}

export type As = ReturnType<typeof as>

/** Creates a payment, moves it through `statuses` and returns its reference. */
export async function newPayment(user: As, ...statuses: string[]): Promise<string> {
  const { status, body } = await user.create()
  expect(status).toBe(201)
  for (const next of statuses) {
    expect((await user.move(body.reference as string, next)).status).toBe(200)
  }
  return body.reference as string
}

/** A body as JSON, with the headers of a provider's signature. */
export function signed(
  body: { webhookId?: string },
  options: { secret?: string; at?: Date; id?: string } = {},
) {
  const { secret = SECRETS.new, at = new Date() } = options
  const id = options.id ?? body.webhookId ?? `evt-${randomUUID()}`
  const text = JSON.stringify(body)
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, text),
  }
  return { text, headers }
}

/** Sends a signed webhook. */
export function fromProvider(
  { client }: Pick<Payments, 'client'>,
  body: Record<string, unknown> & { webhookId?: string },
  options: Parameters<typeof signed>[1] = {},
): Promise<Answer> {
  const { text, headers } = signed(body, options)
  return client.send('POST', '/api/payments/webhook/provider', { body: text, headers })
}
