import { afterAll } from 'vitest'
import { newUser } from './auth.js'
import { startPayments } from './payments.js'
import { as } from './requests.js'

/** Starts the service for a spec file, on its own database and with one user. */
export async function withPayments(own: Record<string, string> = {}) {
  const payments = await startPayments(own)
  afterAll(() => payments.close())
  const owner = await newUser()
  return { payments, owner, user: as(owner, payments) }
}
