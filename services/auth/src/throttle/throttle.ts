import { createHash } from 'node:crypto'
import { networkOf } from '@malipo/kit/http/network'
import { Database } from '@malipo/kit/postgres/database'
import { Problem } from '@malipo/kit/http/problem'
import { Redis } from '@malipo/kit/redis/redis'
import { Inject, Injectable } from '@nestjs/common'
import { type AuthEnv, ENV, networkLimits } from '../env.js'
import { PROBLEMS } from '../problems.js'
import { hasSessionFrom } from '../sessions/sessions.store.js'
import { Hurdle, type Taken, type Terms } from './hurdle.js'
import { type Quota, quotaHeaders } from './quota.js'
import type { Visit } from './visit.js'

const MINUTE = 60
const HOUR = 3600

/** Whose password is tried, by whom. */
export interface Attempt {
  phone: string
  visit: Visit
}

/**
 * Failed logins are counted three times over. A phone as seen from one network has few: who guesses one
 * person's password is held up there soon, and nobody elsewhere is. A phone from everywhere, and a network
 * for all phones, have more, against guesses that are spread over many of the other; from a network where
 * its owner has an open session a phone is exempt from both, so that no stranger can lock them out.
 */
const LOGIN: Terms = {
  name: 'login',
  limit: 10,
  windowSeconds: 5 * MINUTE,
  longestWaitSeconds: HOUR,
}
const ACCOUNT: Terms = {
  name: 'login-account',
  limit: 100,
  windowSeconds: 15 * MINUTE,
  longestWaitSeconds: HOUR,
}
/** All phones, or refresh tokens, that are refused to one network. */
const ofNetwork = (name: string, limit: number): Terms => ({
  name,
  limit,
  windowSeconds: 10 * MINUTE,
  longestWaitSeconds: HOUR,
})

/** What is to be said once it is known what came of a visit. */
export interface Turn {
  /** It was well: what was taken is given back. */
  succeeded(): Promise<void>
  /** It was not: it counts. */
  failed(): Promise<void>
}

/**
 * Holds up who tries too often. An attempt is counted before it is judged and uncounted when it was good,
 * so that a thousand at once are no more than the limit. Without Redis each process counts for itself.
 */
@Injectable()
export class Throttle {
  private readonly login: Hurdle
  private readonly account: Hurdle
  private readonly network: Hurdle
  private readonly refresh: Hurdle
  private readonly register: Hurdle

  constructor(
    @Inject(Redis) redis: Redis,
    @Inject(ENV) env: AuthEnv,
    @Inject(Database) private readonly database: Database,
  ) {
    this.login = new Hurdle(redis, LOGIN)
    this.account = new Hurdle(redis, ACCOUNT)
    const { refusalsPerAddress: refusals, registrationsPerHour: limit } = networkLimits(env)
    this.network = new Hurdle(redis, ofNetwork('login-network', refusals))
    this.refresh = new Hurdle(redis, ofNetwork('refresh', refusals))
    this.register = new Hurdle(redis, {
      name: 'register',
      limit,
      windowSeconds: HOUR,
      longestWaitSeconds: HOUR,
    })
  }

  /** Refuses, before there is any work, who would be refused anyway. @throws Problem 429 */
  async lookAtLogin(attempt: Attempt): Promise<void> {
    const { pair, phone, network } = keysOf(attempt)
    const [own, account, all] = await Promise.all([
      this.login.look(pair),
      this.account.look(phone),
      this.network.look(network),
    ])
    if (!own.isOpen) throw refused(own.quota)
    await this.admit(attempt, account, all)
  }

  /** Counts a login, just before its password is looked at. @throws Problem 429 */
  async beginLogin(attempt: Attempt): Promise<Turn> {
    const { pair, phone, network } = keysOf(attempt)
    const own = await this.login.take(pair)
    if (!own.isOpen) throw refused(own.quota)
    const [account, all] = await Promise.all([this.account.take(phone), this.network.take(network)])
    const giveBack = () =>
      Promise.all([
        account.isOpen && this.account.giveBack(phone),
        all.isOpen && this.network.giveBack(network),
      ])
    try {
      await this.admit(attempt, account, all)
    } catch (refusal) {
      await Promise.all([this.login.giveBack(pair), giveBack()])
      throw refusal
    }
    attempt.visit.tell(quotaHeaders(own.quota))
    return {
      succeeded: async () => void (await Promise.all([this.login.forget(pair), giveBack()])),
      failed: async () => {
        await Promise.all([
          this.login.keep(pair, own),
          this.account.keep(phone, account),
          this.network.keep(network, all),
        ])
      },
    }
  }

  /** Refuses who has come with too many tokens that were not good. @throws Problem 429 */
  async lookAtRefresh({ origin, tell }: Visit): Promise<void> {
    const { isOpen, quota } = await this.refresh.look(hashed(networkOf(origin.address)))
    if (!isOpen) throw refused(quota)
    tell(quotaHeaders(quota))
  }

  /** Counts a refresh token that was not good: no guess ever is, but each one asks the database. */
  async countRefusedRefresh({ origin }: Visit): Promise<void> {
    const key = hashed(networkOf(origin.address))
    await this.refresh.keep(key, await this.refresh.take(key))
  }

  /** Counts a registration, whatever comes of it. @throws Problem 429 */
  async countRegistration({ origin, tell }: Visit): Promise<void> {
    const taken = await this.register.take(hashed(networkOf(origin.address)))
    if (!taken.isOpen) throw refused(taken.quota)
    tell(quotaHeaders(taken.quota))
  }

  /** @throws Problem 429 unless both are open, or the visit is from where the phone's owner is */
  private async admit({ phone, visit }: Attempt, ...taken: Taken[]): Promise<void> {
    const closed = taken.find(({ isOpen }) => !isOpen)
    if (!closed) return
    const { address } = visit.origin
    const isKnown =
      address !== null &&
      (await this.database.read((run) => hasSessionFrom(run, phone, networkOf(address))))
    if (!isKnown) throw refused(closed.quota)
  }
}

function refused(quota: Quota): Problem {
  return new Problem(PROBLEMS.tooManyAttempts, 'Wait before you try again: each time longer.', {
    retryAfterSeconds: quota.resetSeconds,
    headers: quotaHeaders(quota),
  })
}

function keysOf({ phone, visit }: Attempt) {
  const network = networkOf(visit.origin.address)
  return { pair: hashed(`${phone} ${network}`), phone: hashed(phone), network: hashed(network) }
}

/** No phone and no address is kept in Redis as it is. */
function hashed(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
