import { Database } from '@malipo/kit/database'
import { LOG } from '@malipo/kit/kit.module'
import type { Pino } from '@malipo/kit/logger'
import { Inject, Injectable } from '@nestjs/common'
import { v7 as uuidV7 } from 'uuid'
import { noteLoginFailure } from '../audit/audit.store.js'
import { type Credentials, credentialsOf, replaceHash } from '../users/users.store.js'
import { Hashing } from './hashing.js'
import type { Origin } from './origin.js'
import { Throttle } from './throttle.js'

/** Whose password is tried, and from where. */
export interface Attempt {
  phone: string
  origin: Origin
}

/**
 * Whether a phone and a password belong together. A no is the same and takes the same time for a phone
 * that nobody has and for a wrong password, and too many of them are held up.
 */
@Injectable()
export class PasswordCheck {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly hashing: Hashing,
    private readonly throttle: Throttle,
    @Inject(LOG) private readonly log: Pino,
  ) {}

  /**
   * The account that phone and password belong to.
   *
   * @throws Problem 429 after too many failures, 503 when the database is away
   */
  async check(attempt: Attempt, password: string): Promise<Credentials | undefined> {
    await this.throttle.begin(attempt)
    const user = await this.judged(attempt, password)
    if (!user) return undefined
    await this.throttle.succeeded(attempt)
    if (this.hashing.isOutdated(user.passwordHash)) void this.rehash(user, password)
    return user
  }

  private async judged(attempt: Attempt, password: string): Promise<Credentials | undefined> {
    try {
      const user = await this.database.read((run) => credentialsOf(run, attempt.phone))
      const matches = await this.hashing.matches(password, user?.passwordHash)
      if (matches) return user
      const failure = { id: uuidV7(), userId: user?.id ?? null, origin: attempt.origin }
      await this.database.write((run) => noteLoginFailure(run, failure))
      return undefined
    } catch (error) {
      await this.throttle.unjudged(attempt)
      throw error
    }
  }

  /** Beside the login, which neither waits for it nor fails with it: the next one would do it again. */
  private async rehash({ id, passwordHash: from }: Credentials, password: string) {
    try {
      const to = await this.hashing.hash(password)
      await this.database.write((run) => replaceHash(run, { id, from, to }))
    } catch (error) {
      this.log.warn({ err: error, actor: id }, 'a hash was not brought to the configured cost')
    }
  }
}
