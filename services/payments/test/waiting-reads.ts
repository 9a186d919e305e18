import type { Answer } from '@malipo/testing/conformity'
import { until } from '@malipo/testing/until'
import type { User } from './auth.js'
import type { Payments } from './payments.js'

/** Reads of payments that wait for a change. */

interface ReadOptions {
  readonly wait?: number | undefined
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal | undefined
}

export function waitingRead(
  { client }: Pick<Payments, 'client'>,
  { token }: Pick<User, 'token'>,
  reference: string,
  { wait, headers = {}, signal = AbortSignal.timeout(60_000) }: ReadOptions,
): Promise<Answer> {
  const query = wait === undefined ? '' : `?wait=${wait}`
  return client.get(`/api/payments/${reference}${query}`, { token, headers, signal })
}

/** Waits until this number of requests waits in the replica. */
export function untilWaiting(replica: Pick<Payments, 'metric'>, count: number) {
  return until(async () => (await replica.metric('payment_waiters')) === count)
}
