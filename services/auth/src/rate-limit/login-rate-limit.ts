import { networksOf } from '@malipo/kit/http/network'
import { Redis } from '@malipo/kit/redis/redis'
import { Inject, Injectable } from '@nestjs/common'
import { type Env, ENV, networkLimits } from '../env.js'
import { AttemptCounter, type Counted } from './attempt-counter.js'
import { ACCOUNT_LIMITS, PART_LIMITS } from './attempt-limit.js'
import { NetworkLimit } from './network-limit.js'
import { type Quota, tightest, tooManyAttempts } from './quota.js'

/** The source of an attempt to log in to the account with this phone. */
export interface AttemptSource {
  readonly phone: string
  readonly address: string | null
  /** The session whose device token or access token the client presented, if one is valid. */
  readonly clientSid: string | null
  /** Whether an active session of the account was last used from the client's network. */
  readonly isOwnersNetwork: boolean
}

/** An attempt that has been counted. */
export interface Reservation {
  /** Headers of the response, if the password is wrong. */
  readonly headers: Quota['headers']
  /**
   * Set if only the limit of the owner's network admitted the attempt. A wrong password then gets this 429,
   * as it would for a phone without an account.
   */
  readonly rejection: Quota | undefined
  /** Returns the attempt, because the password is right. */
  readonly refund: () => Promise<unknown>
}

/**
 * Limits wrong passwords, so that no number of guesses for an account, and no neighbour in a network, locks
 * out a client that the account's owner has used before:
 *
 * - A client that presents a device token or an access token of the account has its own limit, and no other.
 * - All other clients share the limits of the account, of the account in their network, and of their network.
 * - If these are reached, a network in which the owner has an active session has another limit. Neighbours of
 *   the owner share it, since an address proves less than a token.
 *
 * An attempt is counted before the password is checked, so that concurrent attempts cannot exceed a limit.
 */
@Injectable()
export class LoginRateLimit {
  private readonly network: NetworkLimit

  constructor(
    @Inject(Redis) redis: Redis,
    @Inject(ENV) env: Env,
    private readonly attempts: AttemptCounter,
  ) {
    this.network = new NetworkLimit(redis, 'login-network', networkLimits(env).refusalsPerMinute)
  }

  /** Rejects early if a limit is already reached. @throws Problem 429 */
  async assertAllowed(source: AttemptSource): Promise<void> {
    if (source.clientSid !== null) return this.assertCounted(clientLimits(source))
    const [account, network] = await Promise.all([
      this.attempts.peek(accountLimits(source)),
      this.network.peek(source.address),
    ])
    const quota = tightest([account, network])
    if (quota.isAllowed) return
    if (!source.isOwnersNetwork) throw tooManyAttempts(quota)
    const owners = await this.attempts.peek(ownersNetworkLimits(source))
    if (!owners.isAllowed) throw tooManyAttempts(quota)
  }

  /** Counts an attempt. @throws Problem 429 */
  async reserve(source: AttemptSource): Promise<Reservation> {
    if (source.clientSid !== null) return this.reserveCounted(clientLimits(source))
    const { address } = source
    const network = await this.network.consume(address)
    if (!network.isAllowed) return this.reserveInOwnersNetwork(source, network)
    const limits = accountLimits(source)
    const account = await this.attempts.consume(limits)
    if (!account.isAllowed) {
      await this.network.refund(address)
      return this.reserveInOwnersNetwork(source, account)
    }
    const refund = () => Promise.all([this.attempts.refund(limits), this.network.refund(address)])
    return { headers: account.headers, rejection: undefined, refund }
  }

  private async reserveInOwnersNetwork(
    source: AttemptSource,
    rejection: Quota,
  ): Promise<Reservation> {
    if (!source.isOwnersNetwork) throw tooManyAttempts(rejection)
    const limits = ownersNetworkLimits(source)
    const { isAllowed } = await this.attempts.consume(limits)
    if (!isAllowed) throw tooManyAttempts(rejection)
    return { headers: rejection.headers, rejection, refund: () => this.attempts.refund(limits) }
  }

  private async reserveCounted(limits: Counted): Promise<Reservation> {
    const quota = await this.attempts.consume(limits)
    if (!quota.isAllowed) throw tooManyAttempts(quota)
    const refund = () => this.attempts.refund(limits)
    return { headers: quota.headers, rejection: undefined, refund }
  }

  private async assertCounted(limits: Counted): Promise<void> {
    const quota = await this.attempts.peek(limits)
    if (!quota.isAllowed) throw tooManyAttempts(quota)
  }
}

/** An IPv6 network is the /48 here, because one subscriber can have a /48 with 65,536 networks of size /64. */
function accountLimits({ phone, address }: AttemptSource): Counted {
  const largest = networksOf(address).at(-1)
  return [
    { limit: PART_LIMITS.network, subject: `network ${largest} ${phone}` },
    { limit: ACCOUNT_LIMITS.account, subject: `account ${phone}` },
  ]
}

function clientLimits({ phone, clientSid }: AttemptSource): Counted {
  return [
    { limit: PART_LIMITS.client, subject: `client ${clientSid}` },
    { limit: ACCOUNT_LIMITS.clients, subject: `clients ${phone}` },
  ]
}

function ownersNetworkLimits({ phone }: AttemptSource): Counted {
  return [{ limit: ACCOUNT_LIMITS.ownersNetwork, subject: `owners-network ${phone}` }]
}
