import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { recordLoginFailure } from '../audit/audit.store.js'
import { type Attempt, LoginRateLimit } from '../rate-limit/login-rate-limit.js'
import { type Credentials, credentialsOf, replaceHash } from './credentials.store.js'
import { PasswordHasher } from './hashing.js'

/** Checks passwords. An unknown phone and a wrong password have the same result and take the same time. */
@Injectable()
export class PasswordCheck {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly hasher: PasswordHasher,
    private readonly limit: LoginRateLimit,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** The account, unless the phone or the password is wrong. @throws Problem 429, 503 */
  async check(attempt: Attempt, password: string): Promise<Credentials | undefined> {
    await this.limit.assertLoginAllowed(attempt)
    const user = await this.database.read((run) => credentialsOf(run, attempt.phone))
    // An attempt consumes points only when its hashing starts: a queued attempt has not failed yet.
    const { matches, reservation } = await this.hasher.enqueue(async () => {
      const reservation = await this.limit.reserve(attempt)
      return { reservation, matches: await this.hasher.matches(password, user?.passwordHash) }
    })
    if (!matches || !user) {
      const failure = { id: newUuid(), userId: user?.id ?? null, origin: attempt.client.origin }
      await Promise.all([
        reservation.failed(),
        this.database.write((run) => recordLoginFailure(run, failure)),
      ])
      return undefined
    }
    await reservation.succeeded()
    if (this.hasher.isOutdated(user.passwordHash)) void this.rehash(user, password)
    return user
  }

  /** The login succeeds even if this rehash fails; in that case the next login repeats the rehash. */
  private async rehash(user: Credentials, password: string) {
    try {
      const passwordHash = await this.hasher.hash(password)
      await this.database.write((run) => replaceHash(run, user, passwordHash))
    } catch (err) {
      this.log.warn({ err, actor: user.id }, 'rehashing a password at the configured cost failed')
    }
  }
}
