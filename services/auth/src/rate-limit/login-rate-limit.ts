import { networkOf } from '@malipo/kit/http/network'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { Redis } from '@malipo/kit/redis/redis'
import { Inject, Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { type Env, ENV, networkLimits } from '../env.js'
import { type Consumption, MINUTE, RateLimit, tooManyAttempts } from './rate-limit.js'

/** Finds an active session of the phone's owner that was last used from this network. */
const SESSION_FROM_NETWORK: Statement = {
  name: 'session_from_network',
  text: `
    SELECT 1
    FROM users
    JOIN sessions ON sessions.user_id = users.id
    WHERE users.phone = $1
      AND revoked_at IS NULL
      AND expires_at > now()
      AND address <<= $2::inet
    LIMIT 1`,
}

/** An attempt to log in to the account with this phone. */
export interface Attempt {
  phone: string
  client: ClientContext
}

/**
 * Failed logins count against three limits: per phone number and network, per phone number, and per network.
 * The two wider limits stop guesses that are spread over many networks or phone numbers. They do not apply to
 * a network where the phone's owner has an active session, so that no stranger can lock the owner out.
 *
 * A point is consumed before the password is checked, so that concurrent attempts cannot exceed a limit.
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
    const { refusalsPerAddress } = networkLimits(env)
    this.pair = new RateLimit(redis, 'login', 10, 5 * MINUTE)
    this.account = new RateLimit(redis, 'login-account', 100, 15 * MINUTE)
    this.network = new RateLimit(redis, 'login-network', refusalsPerAddress, 10 * MINUTE)
  }

  /** Rejects early if a limit is already exhausted. @throws Problem 429 */
  async assertLoginAllowed(attempt: Attempt): Promise<void> {
    const keys = keysOf(attempt)
    const [pair, ...wider] = await Promise.all([
      this.pair.peek(keys.pair),
      this.account.peek(keys.account),
      this.network.peek(keys.network),
    ])
    if (!pair.isAllowed) throw tooManyAttempts(pair)
    await this.admit(attempt, wider)
  }

  /** Consumes a point of each limit; `succeeded` or `failed` settles the points later. @throws Problem 429 */
  async reserve(attempt: Attempt) {
    const keys = keysOf(attempt)
    const pair = await this.pair.consume(keys.pair)
    if (!pair.isAllowed) throw tooManyAttempts(pair)
    const [account, network] = await Promise.all([
      this.account.consume(keys.account),
      this.network.consume(keys.network),
    ])
    const refundWider = () =>
      Promise.all([this.account.refund(account), this.network.refund(network)])
    try {
      await this.admit(attempt, [account, network])
    } catch (error) {
      await Promise.all([this.pair.refund(pair), refundWider()])
      throw error
    }
    attempt.client.setHeaders(pair.headers)
    return {
      succeeded: () => Promise.all([this.pair.reset(pair), refundWider()]),
      failed: () =>
        Promise.all([
          this.pair.penalize(pair),
          this.account.penalize(account),
          this.network.penalize(network),
        ]),
    }
  }

  /** @throws Problem 429 if a wider limit is exhausted, unless the owner has a session from the network */
  private async admit({ phone, client }: Attempt, wider: readonly Consumption[]): Promise<void> {
    const exhausted = wider.find(({ isAllowed }) => !isAllowed)
    if (!exhausted) return
    const { address } = client.origin
    if (address === null) throw tooManyAttempts(exhausted)
    const values = [phone, networkOf(address)]
    const known = await this.database.read((run) => run(SESSION_FROM_NETWORK, values))
    if (known.length === 0) throw tooManyAttempts(exhausted)
  }
}

function keysOf({ phone, client }: Attempt) {
  const network = networkOf(client.origin.address)
  return { pair: `${phone} ${network}`, account: phone, network }
}
