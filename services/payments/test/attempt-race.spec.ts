import { randomInt } from 'node:crypto'
import { ILLEGAL_HISTORIES } from '@malipo/testing/illegal-histories'
import { v7 } from 'uuid'
import { expect, it, onTestFinished } from 'vitest'
import { inputOf } from '../src/callbacks/callbacks.store.js'
import { STORE_CALLBACK } from '../src/callbacks/callback.statement.js'
import { claim } from '../src/attempts/claim.store.js'
import { conclude, isRepeatedTransaction } from '../src/attempts/conclude.store.js'
import type { Conclusion } from '../src/attempts/conclusion.js'
import type { AttemptState } from '../src/attempts/states.js'
import {
  ACCOUNT,
  batchOn,
  createAttempt,
  type Created,
  fill,
  newAttemptsDatabase,
} from './attempts-database.js'

/**
 * Claims, conclusions and callbacks at random, also contradictory ones, from several connections at once. Whatever
 * happens, the histories of payments and attempts must be legal.
 */

const PAYMENTS = 400
const CONNECTIONS = 6
const ROUNDS = 500

const STATES = ['accepted', 'in_doubt', 'succeeded', 'declined', 'not_sent', 'queued'] as const

function pick<T>(items: readonly T[]): T {
  return items[randomInt(items.length)] as T
}

function randomConclusion(attemptId: string, lease: string | undefined): Conclusion {
  const to: AttemptState | undefined = randomInt(8) === 0 ? undefined : pick(STATES)
  const isFailed = to === 'declined' || to === 'not_sent'
  const isOpen = to === undefined || !['succeeded', 'declined', 'not_sent'].includes(to)
  return {
    attemptId,
    operationId: v7(),
    cause: 'query',
    actor: ACCOUNT,
    to,
    failure: isFailed ? 'payer_timeout' : undefined,
    aftercareSeconds: to === 'declined' && randomInt(2) === 0 ? 1 : undefined,
    transactionId: to === 'succeeded' ? (randomInt(10) === 0 ? 'shared' : attemptId) : undefined,
    attention: to === undefined ? pick(['deadline', 'vanished', undefined]) : undefined,
    lease:
      lease === undefined
        ? undefined
        : {
            id: lease,
            call: 'query',
            claimedAt: new Date().toISOString(),
            missed: randomInt(2) === 0,
            nextSeconds: isOpen && randomInt(5) > 0 ? randomInt(2) : undefined,
          },
  }
}

it('keeps every history legal, whatever is concluded concurrently', async () => {
  const database = await newAttemptsDatabase()
  onTestFinished(() => database.close())
  const { client, run } = database
  const created: Created[] = []
  for (let nth = 0; nth < PAYMENTS; nth++) created.push(await createAttempt(run))
  await fill(client, 1_000_000)
  const bucket = { burst: 1_000_000, refillPerSecond: 0 }
  const counts: Record<string, number> = {}
  const count = (name: string, by = 1) => (counts[name] = (counts[name] ?? 0) + by)

  const work = async () => {
    const own = batchOn(await database.connection())
    const leases = new Map<string, string>()
    for (let round = 0; round < ROUNDS; round++) {
      const { attemptId } = pick(created)
      const kind = randomInt(10)
      if (kind < 2) {
        const leaseId = v7()
        const request = { account: ACCOUNT, free: 20, leaseId, leaseSeconds: 1, bucket }
        const claimed = await claim(own, kind === 0 ? 'send' : 'query', request, false)
        for (const each of claimed) leases.set(each.attemptId, leaseId)
        count('claimed', claimed.length)
      } else if (kind < 8) {
        try {
          const conclusion = randomConclusion(attemptId, leases.get(attemptId))
          count((await conclude(own, ACCOUNT, conclusion))?.outcome ?? 'missing')
        } catch (error) {
          if (!isRepeatedTransaction(error)) throw error
          count('repeated transaction')
        }
      } else {
        const callback = {
          account: ACCOUNT,
          attemptId: randomInt(10) === 0 ? v7() : attemptId,
          headers: {},
          bytes: Buffer.from(`${randomInt(3)}`),
          reading: { verdict: 'unsigned', reading: { kind: 'no_news' } },
          at: new Date(),
          operationId: v7(),
        } as const
        const [stored] = await own<{ attemptId: string | null }>(STORE_CALLBACK, [
          inputOf(callback),
        ])
        count(stored?.attemptId ? 'callback' : 'parked')
      }
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, work))

  const value = async (text: string) => (await client.query(text)).rows as unknown[]
  for (const outcome of ['applied', 'superseded', 'late_success', 'unchanged', 'callback']) {
    expect(counts).toHaveProperty(outcome)
  }
  for (const [problem, text] of Object.entries(ILLEGAL_HISTORIES)) {
    expect({ problem, rows: await value(text) }).toEqual({ problem, rows: [] })
  }
}, 120_000)
