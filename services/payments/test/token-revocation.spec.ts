import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { User } from './auth.js'
import type { Payments } from './payments.js'
import { keyOf, setStage, sidOf, type Stage, untilRedisIsUsed, use } from './token-stage.js'
import { until } from './until.js'

/** How soon a session that auth has ended is over for payments, and what could keep it alive. */

let stage: Stage
let payments: Payments
beforeAll(async () => {
  stage = await setStage()
  payments = await stage.replica()
})
afterAll(async () => {
  await payments.close()
  await stage.close()
})

let user: User
beforeEach(async () => {
  user = await stage.newUser()
})

const status = async (at: Payments = payments) => (await use(user, at)).status
const mark = (at = Date.now()) =>
  stage.peek.set(`revoked:${sidOf(user)}`, String(at), 'PX', 960_000)

/** Resolves when a replica lets the user's token in without a look at Redis. */
async function untilWarm() {
  await until(async () => (await status()) === 200 && (await stage.peek.exists(keyOf(user))) === 1)
  expect(await status()).toBe(200)
}

async function slowly<T>(wire: 'auth' | 'redis', ms: number, work: () => Promise<T>): Promise<T> {
  stage.wires[wire].slow(ms)
  try {
    return await work()
  } finally {
    stage.wires[wire].slow(0)
  }
}

describe('a session that was ended', () => {
  it('is over for every replica at once, warm or not', async () => {
    const replicas = [payments, await stage.replica(), await stage.replica()]
    await untilWarm()
    await Promise.all(replicas.map(status))
    await stage.logout(user)
    // The announcement is on its way: a hundredth of the second that there is.
    await sleep(10)
    expect(await Promise.all(replicas.map(status))).toEqual([401, 401, 401])
    await Promise.all(replicas.slice(1).map((replica) => replica.close()))
  })

  it('is over within half a second when the announcement is lost', async () => {
    await untilWarm()
    await mark()
    const begin = performance.now()
    await until(async () => (await status()) === 401)
    expect(performance.now() - begin).toBeLessThan(650)
  })

  it('is over at once for a replica that hears no announcements', async () => {
    const deaf = await stage.replica()
    await stage.peek.call('ACL', 'SETUSER', 'default', 'resetchannels')
    try {
      await stage.peek.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await untilRedisIsUsed(deaf)
      await until(async () => (await status(deaf)) === 200)
      await mark()
      expect(await status(deaf)).toBe(401)
    } finally {
      await stage.peek.call('ACL', 'SETUSER', 'default', 'allchannels')
      await deaf.close()
    }
  })

  it('stays over when Redis has forgotten it', async () => {
    await untilWarm()
    await stage.logout(user)
    await until(async () => (await status()) === 401)
    await stage.peek.flushall()
    expect(await status()).toBe(401)
    const other = await stage.replica()
    expect(await status(other)).toBe(401)
    await other.close()
  })

  it('is over for a token that was never seen, whatever auth would say', async () => {
    await mark()
    // A busy machine may find Redis slow, and then auth is asked first.
    await until(async () => {
      const before = await stage.asked()
      expect(await status()).toBe(401)
      return (await stage.asked()) === before
    })
  })
})

describe('a yes of auth that was given before the session ended and arrives after', () => {
  const late = (ms: number, meanwhile: () => Promise<unknown>) =>
    slowly('auth', ms, async () => {
      const asking = status()
      await sleep(ms / 2)
      await meanwhile()
      return asking
    })

  it('is refused: the mark is looked for after it', async () => {
    expect(await late(600, () => stage.logout(user))).toBe(401)
    expect(await status()).toBe(401)
  })

  it('is refused without the announcement too', async () => {
    expect(await late(600, () => mark())).toBe(401)
  })

  it('is doubt when the mark may have been lost meanwhile, and is not kept', async () => {
    const answer = await late(1_400, async () => {
      await mark()
      await stage.peek.flushall()
    })
    expect(answer).toBe(503)
    expect(await stage.peek.exists(keyOf(user))).toBe(1)
    await stage.logout(user)
    await stage.peek.del(`revoked:${sidOf(user)}`)
    const other = await stage.replica()
    expect(await status(other)).toBe(401)
    await other.close()
  })

  it('is of no use to a replica that finds it in Redis, for the mark is there as well', async () => {
    await untilWarm()
    const entry = (await stage.peek.get(keyOf(user))) ?? ''
    await stage.logout(user)
    await stage.peek.set(keyOf(user), entry, 'PX', 60_000)
    const other = await stage.replica()
    expect(await status(other)).toBe(401)
    await other.close()
  })

  it('does not let a known token in past its TTL, while auth is waited for', async () => {
    const old = await stage.replica({ TOKEN_CACHE_TTL_MS: '1' })
    await until(async () => (await status(old)) === 200 && (await stage.peek.exists(keyOf(user))))
    const answer = await slowly('auth', 3_000, async () => {
      const asking = status(old)
      await sleep(250)
      await mark()
      return asking
    })
    expect(answer).toBe(401)
    stage.wires.auth.cut()
    await old.close()
  })
})

describe('token_revocation_staleness_seconds', () => {
  const longest = (at: Payments) => at.metric('token_revocation_staleness_seconds')

  it('is the longest time by which a token was accepted after its session’s end', async () => {
    const replica = await stage.replica()
    expect(await longest(replica)).toBe(0)
    expect(await status(replica)).toBe(200)
    const at = Date.now() - 250
    await stage.peek.publish('revoked', JSON.stringify({ sid: sidOf(user), at }))
    await until(async () => (await longest(replica)) > 0)
    expect(await longest(replica)).toBeLessThanOrEqual(0.25)
    expect(await longest(replica)).toBeGreaterThan(0.1)
    await replica.close()
  })

  it('is learned from the mark when the announcement is lost', async () => {
    const replica = await stage.replica()
    expect(await status(replica)).toBe(200)
    await mark(Date.now() - 100)
    await until(async () => (await status(replica)) === 401)
    const seconds = await longest(replica)
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThan(0.75)
    await replica.close()
  })
})
