import { Problem } from '@malipo/kit/http/problem'
import { validationProblem } from '@malipo/kit/http/validation'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { Counter, Registry } from 'prom-client'
import type { Origin } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import { PROBLEMS, revocationPending } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import { defaultScopes, grantableScopes } from '../tokens/scopes.js'
import { setScopes } from './grants.store.js'

/** Changes users' scopes. Tokens carry scopes, so removing a scope revokes the user's sessions. */
@Injectable()
export class GrantsService {
  private readonly changes: Counter

  constructor(
    private readonly revocations: RevocationsService,
    @Inject(ENV) private readonly env: Pick<Env, 'MODE'>,
    @Inject(Registry) registry: Registry,
  ) {
    const help = 'Changes of a user’s scopes by operators'
    this.changes = new Counter({ name: 'scope_changes_total', help, registers: [registry] })
  }

  /** @throws Problem 400 for a scope that cannot be granted, 404, 503 if Redis is unavailable */
  async set(userId: string, requested: readonly string[], by: { id: string; origin: Origin }) {
    const grantable = grantableScopes(this.env.MODE)
    // The scopes in the order of the table `SCOPES`, without duplicates.
    const scopes = grantable.filter((scope) => requested.includes(scope))
    if (scopes.length < new Set(requested).size) {
      const message = `must contain only ${grantable.join(', ')}`
      throw validationProblem([{ field: 'scopes', message }])
    }
    const defaults = defaultScopes(this.env.MODE)
    const change = { id: newUuid(), userId, scopes, defaults, actorId: by.id, origin: by.origin }
    const published = await this.revocations.revokeBy('scopes', userId, (run, retried) =>
      setScopes(run, retried, change),
    )
    if (published === undefined) throw new Problem(PROBLEMS.userNotFound, 'No user has this id.')
    this.changes.inc()
    if (!published) throw revocationPending()
    return { id: userId, scopes }
  }
}
