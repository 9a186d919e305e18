import { Database } from '@malipo/kit/postgres/database'
import { LOG } from '@malipo/kit/kit.module'
import type { Logger } from '@malipo/kit/telemetry/logger'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { noteLoginFailure } from '../audit/audit.store.js'
import { type Credentials, credentialsOf, replaceHash } from '../users/users.store.js'
import { Hashing } from './hashing.js'
import { type Attempt, Throttle } from '../throttle/throttle.js'

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
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /**
   * The account that phone and password belong to.
   *
   * @throws Problem 429 after too many failures, 503 when the database is away
   */
  async check(attempt: Attempt, password: string): Promise<Credentials | undefined> {
    await this.throttle.lookAtLogin(attempt)
    const user = await this.database.read((run) => credentialsOf(run, attempt.phone))
    // Counted when its turn to be hashed has come: those that wait are not failures yet.
    const { matches, turn } = await this.hashing.inTurn(async () => {
      const turn = await this.throttle.beginLogin(attempt)
      return { turn, matches: await this.hashing.matches(password, user?.passwordHash) }
    })
    if (!matches || !user) {
      await Promise.all([turn.failed(), this.noteFailure(attempt, user)])
      return undefined
    }
    await turn.succeeded()
    if (this.hashing.isOutdated(user.passwordHash)) void this.rehash(user, password)
    return user
  }

  private async noteFailure({ visit }: Attempt, user: Credentials | undefined): Promise<void> {
    const failure = { id: newUuid(), userId: user?.id ?? null, origin: visit.origin }
    await this.database.write((run) => noteLoginFailure(run, failure))
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
