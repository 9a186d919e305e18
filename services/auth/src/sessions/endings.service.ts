import { Database } from '@malipo/kit/postgres/database'
import { Problem } from '@malipo/kit/http/problem'
import { Injectable, Inject } from '@nestjs/common'
import { Meters } from '../audit/meters.js'
import { PROBLEMS } from '../problems.js'
import { Revocations } from '../revocations/revocations.js'
import { endSession, type Ending } from './end.store.js'

/** Who tries again by then finds it told, if Redis was only slow. */
const RETRY_AFTER_SECONDS = 2

/**
 * How a session ends by its user's wish. It is over once it is so in the database; the answer waits for
 * Redis too, so that whoever gets it knows that no replica of any service takes its tokens any more.
 */
@Injectable()
export class Endings {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly revocations: Revocations,
    private readonly meters: Meters,
  ) {}

  /**
   * Ends a session, or finds it over: a repetition is answered as the first time.
   *
   * @returns whether the user has, or had, such a session
   * @throws Problem 503 while Redis can't be told; the session is over nevertheless
   */
  async end(ending: Ending): Promise<boolean> {
    const ended = await this.database.write((run) => endSession(run, ending))
    if (!ended) return false
    if (ended.now) this.meters.ended(ending.cause)
    if (await this.revocations.tell([ended])) return true
    throw untold()
  }
}

export function untold(): Problem {
  return new Problem(
    PROBLEMS.revocationUntold,
    'Its tokens may count for a moment, until the other services are told: that goes on by itself.',
    { retryAfterSeconds: RETRY_AFTER_SECONDS },
  )
}
