import { Problem } from '@malipo/kit/http/problem'
import { validationProblem } from '@malipo/kit/http/validation'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import type { Origin } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import { PROBLEMS, revocationPending } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import { defaultScopes, grantableScopes, type Scope } from '../tokens/scopes.js'
import { setScopes } from './grants.store.js'
import { UsersMetrics } from './users-metrics.js'

/** Changes users' scopes. Tokens carry scopes, so removing a scope revokes the user's sessions. */
@Injectable()
export class GrantsService {
  constructor(
    private readonly revocations: RevocationsService,
    private readonly metrics: UsersMetrics,
    @Inject(ENV) private readonly env: Pick<Env, 'MODE'>,
  ) {}

  /**
   * Replaces a user's scopes.
   *
   * @throws Problem 400 for a scope that cannot be granted, 404, 503 while Redis is unavailable
   */
  async set(userId: string, requested: readonly string[], by: { id: string; origin: Origin }) {
    const scopes = this.scopesOf(requested)
    const change = {
      id: newUuid(),
      userId,
      scopes,
      defaults: defaultScopes(this.env.MODE),
      actorId: by.id,
      origin: by.origin,
    }
    const published = await this.revocations.revokeBy('scopes', userId, async (run, retried) =>
      setScopes(run, retried, change),
    )
    if (published === undefined) throw new Problem(PROBLEMS.userNotFound, 'No user has this id.')
    this.metrics.scopeChanges.inc()
    if (!published) throw revocationPending()
    return { id: userId, scopes }
  }

  /** Removes duplicates and sorts by the table of scopes. @throws Problem 400 */
  private scopesOf(requested: readonly string[]): Scope[] {
    const grantable = grantableScopes(this.env.MODE)
    if (!requested.every((scope) => grantable.some((known) => known === scope))) {
      const message = `must contain only ${grantable.join(', ')}`
      throw validationProblem([{ field: 'scopes', message }])
    }
    return grantable.filter((scope) => requested.includes(scope))
  }
}
