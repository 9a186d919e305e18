import { Database } from '@malipo/kit/postgres/database'
import { Problem } from '@malipo/kit/http/problem'
import { validationProblem } from '@malipo/kit/http/validation'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { Meters } from '../audit/meters.js'
import { type AuthEnv, ENV } from '../env.js'
import { PROBLEMS } from '../problems.js'
import { Revocations } from '../revocations/revocations.js'
import { untoldOf } from '../revocations/untold.store.js'
import { untold } from '../sessions/endings.service.js'
import type { Origin } from '../sessions/origin.js'
import { setScopes } from './grants.store.js'
import { defaultScopes, grantableScopes, type Scope } from './scopes.js'

/**
 * What operators let users do. A token says what its session may, so a scope that is taken away ends the
 * user's sessions: no token that still has it counts any more.
 */
@Injectable()
export class Grants {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly revocations: Revocations,
    private readonly meters: Meters,
    @Inject(ENV) private readonly env: Pick<AuthEnv, 'MODE'>,
  ) {}

  /**
   * Gives a user these scopes and no others.
   *
   * @throws Problem 400 for a scope that can't be given, 404, 503 while Redis can't be told of the end
   */
  async set(userId: string, wished: readonly string[], by: { id: string; origin: Origin }) {
    const scopes = this.scopesOf(wished)
    const change = {
      id: newUuid(),
      userId,
      scopes,
      defaults: defaultScopes(this.env.MODE),
      actorId: by.id,
      origin: by.origin,
    }
    const ended = await this.database.write((run, retried) => setScopes(run, retried, change))
    if (ended === undefined) throw new Problem(PROBLEMS.userNotFound, 'No user has this id.')
    this.meters.granted()
    this.meters.ended('scopes', ended)
    // Also what an earlier call could not tell: this may be its repetition.
    const open = await this.database.read((run) => untoldOf(run, userId))
    if (!(await this.revocations.tell(open))) throw untold()
    return { id: userId, scopes }
  }

  /** In the one order, each once. @throws Problem 400 */
  private scopesOf(wished: readonly string[]): Scope[] {
    const grantable = grantableScopes(this.env.MODE)
    if (!wished.every((scope) => grantable.some((known) => known === scope))) {
      const message = `must be a list of ${grantable.join(', ')}`
      throw validationProblem([{ field: 'scopes', message }])
    }
    return grantable.filter((scope) => wished.includes(scope))
  }
}
