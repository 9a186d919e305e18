import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { recordLoginFailure } from '../audit/audit.store.js'
import { type Attempt, LoginRateLimit } from '../rate-limit/login-rate-limit.js'
import { type Credentials, credentialsOf, replaceHash } from './credentials.store.js'
import { PasswordHasher } from './hashing.js'

/**
 * Checks a phone and a password, and rate-limits failures. An unknown phone and a wrong password have the
 * same result and take the same time.
 */
@Injectable()
export class PasswordCheck {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly hasher: PasswordHasher,
    private readonly limit: LoginRateLimit,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /**
   * @returns the account; undefined for an unknown phone or a wrong password
   * @throws Problem 429 after too many failures, 503 while the database is unavailable
   */
  async check(attempt: Attempt, password: string): Promise<Credentials | undefined> {
    await this.limit.assertLoginAllowed(attempt)
    const user = await this.database.read((run) => credentialsOf(run, attempt.phone))
    // Points are consumed only when hashing starts: attempts in the queue are not failures yet.
    const { matches, reservation } = await this.hasher.enqueue(async () => {
      const reservation = await this.limit.reserve(attempt)
      return { reservation, matches: await this.hasher.matches(password, user?.passwordHash) }
    })
    if (!matches || !user) {
      await Promise.all([reservation.failed(), this.recordFailure(attempt, user)])
      return undefined
    }
    await reservation.succeeded()
    if (this.hasher.isOutdated(user.passwordHash)) void this.rehash(user, password)
    return user
  }

  private async recordFailure({ client }: Attempt, user: Credentials | undefined): Promise<void> {
    const failure = { id: newUuid(), userId: user?.id ?? null, origin: client.origin }
    await this.database.write((run) => recordLoginFailure(run, failure))
  }

  /** The login succeeds whether or not this does; if it fails, the next login tries again. */
  private async rehash({ id, passwordHash: from }: Credentials, password: string) {
    try {
      const to = await this.hasher.hash(password)
      await this.database.write((run) => replaceHash(run, { id, from, to }))
    } catch (error) {
      this.log.warn({ err: error, actor: id }, 'rehashing a password at the configured cost failed')
    }
  }
}
