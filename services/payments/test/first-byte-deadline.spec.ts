import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@malipo/kit/postgres/database'
import type { WorkerOptions } from '@malipo/kit/worker/worker'
import type { Workers } from '@malipo/kit/worker/workers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AttemptCalls } from '../src/attempts/attempt-calls.js'
import type { Call, CallRunner } from '../src/attempts/call-runner.js'
import type { ClientOf, Clients } from '../src/attempts/clients.js'
import type { NewAttempts } from '../src/providers/new-attempts.js'
import {
  ACCOUNT,
  type AttemptsDatabase,
  createAttempt,
  fill,
  newAttemptsDatabase,
} from './attempts-database.js'
import { MTN_UGANDA } from './provider-account.js'
import { CHARGE, testAdapter, tokenGrant } from './provider-client/test-adapter.js'
import { startClient } from './provider-client/test-client.js'
import { startTokenServer } from './provider-client/token-server.js'

/** The first byte of a call leaves within half of its lease, whatever the call waits for after the claim. */

let database: AttemptsDatabase
beforeEach(async () => {
  database = await newAttemptsDatabase()
  await fill(database.client, 10)
  await createAttempt(database.run)
})
afterEach(() => database.close())

interface Options {
  readonly leaseSeconds: number
  /** How long the answer to the claim takes. */
  readonly claimMs?: number
}

/** Claims the attempt's request for money, and starts it with `perform`. */
async function claimed<Result>(
  { leaseSeconds, claimMs = 0 }: Options,
  perform: (call: Call) => Promise<Result>,
): Promise<Result> {
  let run: (() => Promise<unknown>) | undefined
  const performed = Promise.withResolvers<Result>()
  const write = async (work: (run: AttemptsDatabase['run'], retried: boolean) => unknown) => {
    const rows = await work(database.run, false)
    await sleep(claimMs)
    return rows
  }
  const client = { account: MTN_UGANDA } as ClientOf
  void new AttemptCalls(
    { write } as unknown as Database,
    { names: [ACCOUNT], find: () => client, mayCall: true } as unknown as Clients,
    {
      leaseSecondsOf: () => leaseSeconds,
      perform: async (call: Call) => perform(call).then(performed.resolve, performed.reject),
    } as unknown as CallRunner,
    {
      add: (options: WorkerOptions) => {
        if (options.name === 'attempt_sends') run = options.run as () => Promise<unknown>
        return { wake: () => undefined }
      },
    } as unknown as Workers,
    { onStored: () => undefined } as unknown as NewAttempts,
  )
  await run?.()
  return performed.promise
}

describe('the time until the first byte', () => {
  const adapter = testAdapter({ needs: ['token'], grants: { token: tokenGrant(20) } })

  it('includes the wait for a grant: a request that is late is not written', async () => {
    const server = await startTokenServer()
    server.delayMs = 1_000
    const { client } = startClient({ account: { baseUrl: server.url }, adapter })
    const outcome = await claimed({ leaseSeconds: 1 }, (call) => client.send(CHARGE, call.isFresh))
    expect(outcome).toEqual({ kind: 'not_begun' })
    expect([server.count('/token'), server.used]).toEqual([1, []])
  })

  it('includes the answer to the claim', async () => {
    const isFresh = await claimed({ leaseSeconds: 1, claimMs: 600 }, async (call) => call.isFresh())
    expect(isFresh).toBe(false)
  })

  it('is half of the lease', async () => {
    const server = await startTokenServer()
    server.delayMs = 1_000
    const { client } = startClient({ account: { baseUrl: server.url }, adapter })
    const own = { leaseSeconds: 600, claimMs: 600 }
    const outcome = await claimed(own, (call) => client.send(CHARGE, call.isFresh))
    expect([outcome.kind, server.used.length]).toEqual(['read', 1])
  })
})
