import type { Run } from '@malipo/kit/postgres/database'
import type { Client } from 'pg'
import { v7 } from 'uuid'
import { insert } from '../src/payments/payments.store.js'
import { storeAccounts } from '../src/providers/accounts.store.js'
import { newPaymentsDatabase, type PaymentsDatabase, runOn } from './payments-database.js'
import { MTN_UGANDA } from './provider-account.js'

/** A migrated database with the account `mtn-ug`, on which a test executes the statements of attempts itself. */

export const ACCOUNT = MTN_UGANDA.name

export interface AttemptsDatabase extends PaymentsDatabase {
  readonly client: Client
  readonly run: Run
}

export async function newAttemptsDatabase(server?: string): Promise<AttemptsDatabase> {
  const database = await newPaymentsDatabase(server)
  const client = await database.connection()
  const run = batchOn(client)
  await storeAccounts(runOn(client), [MTN_UGANDA])
  return { ...database, client, run }
}

/** Executes statements, a batched one with its one input. */
export function batchOn(client: Client): Run {
  return async (statement, values) => {
    const sent = statement.batched
      ? [JSON.stringify([{ nth: 0, ...(values[0] as object) }])]
      : [...values]
    return (await client.query({ ...statement, values: sent })).rows as never
  }
}

/** Fills the bucket of an account with tokens. */
export async function fill(client: Client, tokens: number, account = ACCOUNT): Promise<void> {
  const text = 'UPDATE provider_call_limits SET tokens = $1, refilled_at = now() WHERE account = $2'
  await client.query(text, [tokens, account])
}

export interface Created {
  readonly paymentId: string
  readonly attemptId: string
  readonly reference: string
}

/** Creates a payment of 5000 UGX with a queued attempt. */
export async function createAttempt(
  run: Run,
  { sendSeconds = 60, attemptId = v7(), reference = v7() } = {},
): Promise<Created> {
  const now = new Date()
  const paymentId = v7()
  await insert(
    run,
    {
      id: paymentId,
      ownerId: v7(),
      amountMinor: '5000',
      currency: 'UGX',
      paymentMethod: 'MOBILE_MONEY',
      customerPhone: '+256772123456',
      customerEmail: 'amina@example.com',
      description: null,
      metadata: {},
      account: ACCOUNT,
      providerName: 'mtn-momo',
      status: 'INITIATED',
      createdAt: now.toISOString(),
    },
    {
      id: attemptId,
      account: ACCOUNT,
      reference,
      sendUntil: new Date(now.getTime() + sendSeconds * 1_000).toISOString(),
      traceParent: undefined,
      limits: undefined,
    },
    v7(),
    undefined,
  )
  return { paymentId, attemptId, reference }
}
