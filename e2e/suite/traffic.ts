import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { bodyOf, type Client, createPayment, register, login } from './http.ts'

/** Generates all kinds of requests, valid and invalid, so that every metric has data. */

/** @returns the number of payments created */
export async function generateTraffic(client: Client, seconds: number): Promise<number> {
  const account = await register(client)
  const token = await login(client, account)
  let created = 0
  for (const end = Date.now() + seconds * 1000; Date.now() < end; created++) {
    await onePayment(client, token, created)
    if (created % 5 === 0) await oneSession(client)
    await sleep(100)
  }
  return created
}

async function onePayment(client: Client, token: string, n: number): Promise<void> {
  const reference = await createPayment(client, token)
  const path = `/api/payments/${reference}`
  await client({ path, token })
  await client({ path: '/api/payments', token })
  const move = (status: string) =>
    client({ method: 'POST', path: `${path}/status`, token, body: { status } })
  // Not allowed before PENDING.
  await move('SUCCESS')
  if (n % 4 === 3) return
  bodyOf(await move('PENDING'), 200)
  const status = n % 3 === 0 ? 'FAILED' : 'SUCCESS'
  const body = webhook(reference, status)
  await client({ method: 'POST', path: WEBHOOK, token, body })
  await client({ method: 'POST', path: WEBHOOK, token, body })
  await client({ method: 'POST', path: WEBHOOK, token: 'invalid', body })
}

const WEBHOOK = '/api/payments/webhook/provider'

export function webhook(reference: string, status: string, webhookId = `evt-${randomUUID()}`) {
  const timestamp = new Date().toISOString()
  return { webhookId, reference, status, providerTransactionId: 'MP1', timestamp }
}

async function oneSession(client: Client): Promise<void> {
  const account = await register(client)
  const body = { phone: account.phone, password: account.password }
  const login = '/api/auth/login'
  const { access_token: token, refresh_token } = bodyOf(
    await client({ method: 'POST', path: login, body }),
    200,
  ) as { access_token: string; refresh_token: string }
  await client({ path: '/api/payments', token })
  await client({ method: 'POST', path: login, body: { ...body, password: 'not the right one' } })
  await client({ method: 'POST', path: '/api/auth/register', body: account })
  await client({ method: 'POST', path: '/api/auth/refresh', body: { refresh_token } })
  await client({ method: 'POST', path: '/api/auth/logout', token })
}
