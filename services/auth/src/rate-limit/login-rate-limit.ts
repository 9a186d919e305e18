import { networkOf } from '@malipo/kit/http/network'
import { Database } from '@malipo/kit/postgres/database'
import { Redis } from '@malipo/kit/redis/redis'
import { Inject, Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { type Env, ENV, networkLimits } from '../env.js'
import { hasSessionFrom } from './known-network.store.js'
import { quotaHeaders } from './quota.js'
import {
  type Consumption,
  hashedKey,
  HOUR,
  MINUTE,
  RateLimit,
  tooManyAttempts,
} from './rate-limit.js'

/** A password attempt for a phone. */
export interface Attempt {
  phone: string
  client: ClientContext
}

/** Settles the consumed points when the outcome of the attempt is known. */
export interface AttemptReservation {
  /** Refunds the points. */
  succeeded(): Promise<void>
  /** Keeps the points consumed. */
  failed(): Promise<void>
}

/**
 * Failed logins count against three limits: one per phone number and network, one per phone number, and one
 * per network. The two wider limits stop guesses that are spread over many networks or phone numbers.
 *
 * From a network where the phone's owner has an active session, the wider limits do not apply, so that no
 * stranger can lock the owner out. A point is consumed before the password is checked and refunded on
 * success, so concurrent attempts cannot exceed a limit.
 */
@Injectable()
export class LoginRateLimit {
  private readonly pair: RateLimit
  private readonly account: RateLimit
  private readonly network: RateLimit

  constructor(
    @Inject(Redis) redis: Redis,
    @Inject(ENV) env: Env,
    @Inject(Database) private readonly database: Database,
  ) {
    const policy = (name: string, limit: number, minutes: number) => ({
      name,
      limit,
      windowSeconds: minutes * MINUTE,
      maxWaitSeconds: HOUR,
    })
    this.pair = new RateLimit(redis, policy('login', 10, 5))
    this.account = new RateLimit(redis, policy('login-account', 100, 15))
    const { refusalsPerAddress } = networkLimits(env)
    this.network = new RateLimit(redis, policy('login-network', refusalsPerAddress, 10))
  }

  /** Rejects early if a limit is already exhausted. @throws Problem 429 */
  async assertLoginAllowed(attempt: Attempt): Promise<void> {
    const keys = keysOf(attempt)
    const [pair, account, network] = await Promise.all([
      this.pair.peek(keys.pair),
      this.account.peek(keys.account),
      this.network.peek(keys.network),
    ])
    if (!pair.isAllowed) throw tooManyAttempts(pair.quota)
    await this.admit(attempt, account, network)
  }

  /** Consumes a point from each limit, just before the password is checked. @throws Problem 429 */
  async reserve(attempt: Attempt): Promise<AttemptReservation> {
    const keys = keysOf(attempt)
    const pair = await this.pair.consume(keys.pair)
    if (!pair.isAllowed) throw tooManyAttempts(pair.quota)
    const [account, network] = await Promise.all([
      this.account.consume(keys.account),
      this.network.consume(keys.network),
    ])
    const refund = () =>
      Promise.all([
        account.isAllowed && this.account.refund(keys.account),
        network.isAllowed && this.network.refund(keys.network),
      ])
    try {
      await this.admit(attempt, account, network)
    } catch (error) {
      await Promise.all([this.pair.refund(keys.pair), refund()])
      throw error
    }
    attempt.client.setHeaders(quotaHeaders(pair.quota))
    return {
      succeeded: async () => void (await Promise.all([this.pair.reset(keys.pair), refund()])),
      failed: async () => {
        await Promise.all([
          this.pair.penalize(keys.pair, pair),
          this.account.penalize(keys.account, account),
          this.network.penalize(keys.network, network),
        ])
      },
    }
  }

  /** @throws Problem 429 unless both are allowed, or the phone's owner has a session from the network */
  private async admit({ phone, client }: Attempt, ...wider: Consumption[]): Promise<void> {
    const exhausted = wider.find(({ isAllowed }) => !isAllowed)
    if (!exhausted) return
    const { address } = client.origin
    const isKnown =
      address !== null &&
      (await this.database.read((run) => hasSessionFrom(run, phone, networkOf(address))))
    if (!isKnown) throw tooManyAttempts(exhausted.quota)
  }
}

function keysOf({ phone, client }: Attempt) {
  const network = networkOf(client.origin.address)
  return {
    pair: hashedKey(`${phone} ${network}`),
    account: hashedKey(phone),
    network: hashedKey(network),
  }
}
