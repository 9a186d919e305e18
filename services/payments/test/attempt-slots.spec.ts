import type { Database } from '@malipo/kit/postgres/database'
import type { WorkerOptions } from '@malipo/kit/worker/worker'
import type { Workers } from '@malipo/kit/worker/workers'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { AttemptCalls } from '../src/attempts/attempt-calls.js'
import type { CallRunner } from '../src/attempts/call-runner.js'
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

/** When the calls of a busy account are claimed. The test starts the runs of the workers, and ends the calls. */

let database: AttemptsDatabase
beforeEach(async () => {
  database = await newAttemptsDatabase()
  await fill(database.client, 1_000)
})
afterEach(() => database.close())

const LIMITS = { ...MTN_UGANDA.limits, rate: 1_000, burst: 1_000 }

function startCalls(maxInFlight: number) {
  const workers = new Map<string, () => Promise<unknown>>()
  const woken: string[] = []
  const running: (() => void)[] = []
  let claims = 0
  const client = { account: { ...MTN_UGANDA, limits: { ...LIMITS, maxInFlight } } } as ClientOf
  void new AttemptCalls(
    {
      write: (work: (run: AttemptsDatabase['run'], retried: boolean) => unknown) => {
        claims++
        return work(database.run, false)
      },
    } as unknown as Database,
    { names: [ACCOUNT], find: () => client, mayCall: true } as unknown as Clients,
    {
      leaseSecondsOf: () => 60,
      perform: () => new Promise<void>((resolve) => running.push(resolve)),
    } as unknown as CallRunner,
    {
      add: ({ name, run }: WorkerOptions) => {
        workers.set(name, run as () => Promise<unknown>)
        return { wake: () => woken.push(name) }
      },
    } as unknown as Workers,
    { onStored: () => undefined } as unknown as NewAttempts,
  )
  return {
    running,
    woken,
    get claims() {
      return claims
    },
    /** A run of the worker; @returns whether it is to be repeated at once */
    run: async () => (await workers.get('attempt_sends')?.()) === 'more',
    /** Ends the oldest calls. */
    async end(count: number) {
      for (const resolve of running.splice(0, count)) resolve()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

async function createMany(count: number) {
  for (let nth = 0; nth < count; nth++) await createAttempt(database.run)
}

it('a call that ends makes the next claim, when more were due than had a slot', async () => {
  await createMany(5)
  const calls = startCalls(2)
  // Without a free slot, another run would claim nothing.
  expect(await calls.run()).toBe(false)
  expect([calls.running.length, calls.woken]).toEqual([2, []])
  for (const inFlight of [2, 2, 2, 1]) {
    await calls.end(1)
    expect(calls.woken.splice(0)).toEqual(['attempt_sends'])
    await calls.run()
    expect(calls.running).toHaveLength(inFlight)
  }
  await calls.end(1)
  expect(calls.woken).toEqual([])
})

it('calls that end wake the worker once until it has claimed again', async () => {
  await createMany(9)
  const calls = startCalls(4)
  await calls.run()
  await calls.end(3)
  expect(calls.woken).toHaveLength(1)
  await calls.run()
  expect(calls.running).toHaveLength(4)
})

it('calls of an account without more work wake nothing', async () => {
  await createMany(3)
  const calls = startCalls(4)
  expect(await calls.run()).toBe(false)
  await calls.end(3)
  expect(calls.woken).toEqual([])
  expect(calls.claims).toBe(1)
})

it('an account of which a claim has left slots free and work due is claimed again at once', async () => {
  await createMany(70)
  const calls = startCalls(100)
  expect(await calls.run()).toBe(true)
  expect(calls.running).toHaveLength(64)
  expect(await calls.run()).toBe(false)
  expect(calls.running).toHaveLength(70)
})
