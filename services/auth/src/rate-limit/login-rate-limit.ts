import { siteOf } from '@malipo/kit/http/network'
import { Redis } from '@malipo/kit/redis/redis'
import { Inject, Injectable } from '@nestjs/common'
import { type Env, ENV, networkLimits } from '../env.js'
import { AttemptCounter, type Counted } from './attempt-counter.js'
import { ACCOUNT_LIMITS, PART_LIMITS } from './attempt-limit.js'
import { NetworkLimit } from './network-limit.js'
import { type Quota, tightest, tooManyAttempts } from './quota.js'
import { accountSubject, clientsSubject, ownersNetworkSubject } from './login-subjects.js'

/** The source of an attempt to log in to the account with this phone. */
export interface AttemptSource {
  readonly phone: string
  readonly address: string | null
  /** The session whose device token or access token the client presented, if one is valid. */
  readonly clientSid: string | null
  /** Whether an active session of the account was last used from the client's network. */
  readonly isOwnersNetwork: boolean
}

/** The result of counting an attempt. */
export interface Reservation {
  /** Headers of the response, if the password is wrong. */
  readonly headers: Quota['headers']
  /**
   * Set if only the limit of the owner's network admits the attempt, or none does. A wrong password then gets
   * this 429, as it would for a phone without an account.
   */
  readonly rejection: Quota | undefined
  /** Whether the password may be checked. */
  readonly isAdmitted: boolean
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
 * An attempt is counted before the result of its check is used, so that concurrent attempts cannot exceed a
 * limit.
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

  /** The limit that an attempt would exceed, without counting it; undefined if there is none. */
  async reachedLimit(source: AttemptSource): Promise<Quota | undefined> {
    const quota =
      source.clientSid === null
        ? await this.peekShared(source)
        : await this.attempts.peek(clientLimits(source))
    return quota.isAllowed ? undefined : quota
  }

  /** Whether an attempt beyond the other limits is in the owner's network and within the limit of that. */
  async isOwnersNetworkAllowed(source: AttemptSource): Promise<boolean> {
    if (!source.isOwnersNetwork) return false
    return (await this.attempts.peek(ownersNetworkLimits(source))).isAllowed
  }

  /** Counts an attempt, if the limits admit it. @throws Problem 429 for a recognised client */
  async reserve(source: AttemptSource): Promise<Reservation> {
    if (source.clientSid !== null) return this.reserveCounted(clientLimits(source))
    const { address } = source
    const network = await this.network.consume(address)
    if (!network.quota.isAllowed) return this.reserveInOwnersNetwork(source, network.quota)
    const limits = accountLimits(source)
    const account = await this.attempts.consume(limits)
    if (!account.isAllowed) {
      await network.refund()
      return this.reserveInOwnersNetwork(source, account)
    }
    const refund = () => Promise.all([this.attempts.refund(limits), network.refund()])
    return { headers: account.headers, rejection: undefined, isAdmitted: true, refund }
  }

  /** The quota of the limits that all unrecognised clients share. */
  private async peekShared(source: AttemptSource): Promise<Quota> {
    return tightest(
      await Promise.all([
        this.attempts.peek(accountLimits(source)),
        this.network.peek(source.address),
      ]),
    )
  }

  /** @param reached the first limit that rejected the attempt; another one may be reached too */
  private async reserveInOwnersNetwork(
    source: AttemptSource,
    reached: Quota,
  ): Promise<Reservation> {
    const shared = await this.peekShared(source)
    // `reachedLimit` reports the tightest limit for a phone without an account. The answers must not differ.
    const rejection = shared.isAllowed ? reached : shared
    const limits = ownersNetworkLimits(source)
    const isAdmitted = source.isOwnersNetwork && (await this.attempts.consume(limits)).isAllowed
    const refund = () => this.attempts.refund(limits)
    return { headers: rejection.headers, rejection, isAdmitted, refund }
  }

  private async reserveCounted(limits: Counted): Promise<Reservation> {
    const quota = await this.attempts.consume(limits)
    if (!quota.isAllowed) throw tooManyAttempts(quota)
    const refund = () => this.attempts.refund(limits)
    return { headers: quota.headers, rejection: undefined, isAdmitted: true, refund }
  }
}

/** An IPv6 network is the /48 here, because one subscriber can have a /48 with 65,536 networks of size /64. */
function accountLimits({ phone, address }: AttemptSource): Counted {
  return [
    { limit: PART_LIMITS.network, subject: `network ${siteOf(address)} ${phone}` },
    { limit: ACCOUNT_LIMITS.account, subject: accountSubject(phone) },
  ]
}

function clientLimits({ phone, clientSid }: AttemptSource): Counted {
  return [
    { limit: PART_LIMITS.client, subject: `client ${clientSid}` },
    { limit: ACCOUNT_LIMITS.clients, subject: clientsSubject(phone) },
  ]
}

function ownersNetworkLimits({ phone }: AttemptSource): Counted {
  return [{ limit: ACCOUNT_LIMITS.ownersNetwork, subject: ownersNetworkSubject(phone) }]
}
