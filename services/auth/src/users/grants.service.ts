import { Problem } from '@malipo/kit/http/problem'
import { validationProblem } from '@malipo/kit/http/validation'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { Counter, Registry } from 'prom-client'
import type { Origin } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import {
  merchantClosed,
  operatorScopes,
  ownScopes,
  PROBLEMS,
  revocationPending,
} from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import { defaultScopes, grantableScopes, OPERATOR_SCOPES, type Scope } from '../tokens/scopes.js'
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

  /** @throws Problem 400 for an unknown scope, 403, 404, 409 for a closed merchant, 503 if Redis is unavailable */
  async set(userId: string, requested: readonly string[], by: { id: string; origin: Origin }) {
    // The path may spell the id in upper case.
    if (userId.toLowerCase() === by.id) throw ownScopes()
    const scopes = this.grantable(requested)
    const change = {
      id: newUuid(),
      userId,
      scopes,
      retained: scopes.filter((scope) => OPERATOR_SCOPES.includes(scope)),
      defaults: defaultScopes(this.env.MODE),
      actorId: by.id,
      origin: by.origin,
    }
    const published = await this.revocations.revokeBy('scopes', userId, async (run, retried) => {
      const revoked = await setScopes(run, retried, change)
      if (revoked === 'not_retained') throw operatorScopes()
      if (revoked === 'closed') throw merchantClosed()
      return revoked
    })
    if (published === undefined) throw new Problem(PROBLEMS.userNotFound, 'No user has this id.')
    this.changes.inc()
    if (!published) throw revocationPending()
    return { id: userId, scopes }
  }

  /** The scopes in the order of the table `SCOPES`, without duplicates. @throws Problem 400 */
  private grantable(requested: readonly string[]): Scope[] {
    const grantable = grantableScopes(this.env.MODE)
    const scopes = grantable.filter((scope) => requested.includes(scope))
    if (scopes.length === new Set(requested).size) return scopes
    const message = `must contain only ${grantable.join(', ')}`
    throw validationProblem([{ field: 'scopes', message }])
  }
}
