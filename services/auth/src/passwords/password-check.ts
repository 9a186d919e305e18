import { setTimeout as sleep } from 'node:timers/promises'
import type { Flow } from '@malipo/kit/http/fair-queue'
import { networkOf } from '@malipo/kit/http/network'
import { Problem } from '@malipo/kit/http/problem'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Abandoned, assertNotCompleted } from '@malipo/kit/telemetry/request-context'
import { Inject, Injectable } from '@nestjs/common'
import { recordLoginFailure } from '../audit/audit.store.js'
import { type ClientContext, flowOf } from '../client-context/client-context.js'
import { type AttemptSource, LoginRateLimit } from '../rate-limit/login-rate-limit.js'
import { tooManyAttempts } from '../rate-limit/quota.js'
import { parseDeviceToken } from '../tokens/device-token.js'
import {
  type Credentials,
  loginCandidate,
  type LoginCandidate,
  type LoginQuery,
  replaceHash,
} from './credentials.store.js'
import { PasswordHasher } from './hashing.js'

/** A client's attempt to log in to the account with this phone. */
export interface Attempt {
  readonly phone: string
  readonly client: ClientContext
  /** A device token that the client presents; may be invalid or of another account. */
  readonly deviceToken?: string | undefined
  /** The session of an access token that the client presents. */
  readonly sid?: string | undefined
}

interface Candidate {
  readonly attempt: Attempt
  readonly source: AttemptSource
  /** undefined if no account has the phone. */
  readonly user: LoginCandidate | undefined
}

/** Checks passwords. An unknown phone and a wrong password have the same result and take the same time. */
@Injectable()
export class PasswordCheck {
  /** The phones for which `checkInOwnersNetwork` is in progress. */
  private readonly beyondLimit = new Set<string>()

  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly hasher: PasswordHasher,
    private readonly limit: LoginRateLimit,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /**
   * The account, unless the phone or the password is wrong. An attempt whose client disconnects while its
   * password is hashed counts all the same.
   * @throws Abandoned if the client has disconnected; Problem 429, 503
   */
  async check(attempt: Attempt, password: string): Promise<Credentials | undefined> {
    const begunAt = performance.now()
    const user = await this.database.read((run) => loginCandidate(run, queryOf(attempt)))
    const candidate = { attempt, user, source: sourceOf(attempt, user) }
    const reached = await this.limit.reachedLimit(candidate.source)
    if (!reached) return this.checkCounted(candidate, password)
    if (candidate.source.clientSid !== null) throw tooManyAttempts(reached)
    const checked = await this.checkInOwnersNetwork(candidate, password)
    if (checked) return checked
    // Whether a hash was computed must not show: only an account has a network of its owner.
    await sleep(Math.max(0, begunAt + this.hasher.checkTimeMs - performance.now()))
    throw tooManyAttempts(reached)
  }

  /**
   * Checks an attempt that at most the limit of the owner's network admits; undefined unless the password is
   * right. Of concurrent attempts for one phone only one is checked, so that they don't queue for each other.
   */
  private async checkInOwnersNetwork(candidate: Candidate, password: string) {
    const { phone } = candidate.attempt
    if (this.beyondLimit.has(phone)) return undefined
    this.beyondLimit.add(phone)
    try {
      if (!(await this.limit.isOwnersNetworkAllowed(candidate.source))) return undefined
      return await this.checkCounted(candidate, password)
    } catch (error) {
      if (error instanceof Problem || error instanceof Abandoned) return undefined
      throw error
    } finally {
      this.beyondLimit.delete(phone)
    }
  }

  private async checkCounted({ attempt, source, user }: Candidate, password: string) {
    const { matches, reservation } = await this.hasher.enqueue(
      queueFlowOf(attempt, source),
      async () => {
        // An attempt is counted only when its hashing starts: a queued attempt has not failed yet. It is hashed
        // meanwhile, so that the thread does not wait for the counters.
        const reserving = this.limit.reserve(source)
        reserving.catch(() => undefined)
        const matches = await this.hasher.matches(password, user?.passwordHash)
        return { matches, reservation: await reserving }
      },
    )
    attempt.client.setHeaders(reservation.headers)
    if (!matches || !user || !reservation.isAdmitted) {
      const failure = { id: newUuid(), userId: user?.id ?? null, origin: attempt.client.origin }
      await this.database.write((run) => recordLoginFailure(run, failure))
      if (reservation.rejection) throw tooManyAttempts(reservation.rejection)
      return undefined
    }
    await reservation.refund()
    assertNotCompleted()
    if (this.hasher.isOutdated(user.passwordHash)) void this.rehash(user, attempt, password)
    return user
  }

  /** The login succeeds even if this rehash fails; in that case the next login repeats the rehash. */
  private async rehash(user: Credentials, { client, phone }: Attempt, password: string) {
    try {
      const passwordHash = await this.hasher.hash(password, flowOf(client, phone), {
        evenIfAborted: true,
      })
      await this.database.write((run) => replaceHash(run, user, passwordHash))
    } catch (err) {
      this.log.warn({ err, actor: user.id }, 'rehashing a password at the configured cost failed')
    }
  }
}

function queryOf({ phone, client, deviceToken, sid }: Attempt): LoginQuery {
  const { address } = client.origin
  const network = address === null ? null : networkOf(address)
  return { phone, deviceToken: parseDeviceToken(deviceToken ?? ''), sid, network }
}

function sourceOf(
  { phone, client }: Attempt,
  user: Pick<LoginCandidate, 'clientSid' | 'isOwnersNetwork'> | undefined,
): AttemptSource {
  const { clientSid = null, isOwnersNetwork = false } = user ?? {}
  return { phone, address: client.origin.address, clientSid, isOwnersNetwork }
}

/**
 * Clients that present a token of the account take turns apart from the other clients of their network, so that
 * guesses of a neighbour don't delay them. Other clients of the owner's network don't: the time of a guess would
 * show whether the account exists.
 */
function queueFlowOf({ client, phone }: Attempt, { clientSid }: AttemptSource): Flow {
  const flow = flowOf(client, phone)
  return clientSid === null ? flow : { ...flow, network: `clients of ${flow.network}` }
}
