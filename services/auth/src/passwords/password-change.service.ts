import { validationProblem } from '@malipo/kit/http/validation'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { wrongCredentials } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import type { ValidatedClaims } from '../tokens/tokens.service.js'
import { changePassword } from './credentials.store.js'
import { PasswordHasher } from './hashing.js'
import { PasswordCheck } from './password-check.js'
import { PasswordsMetrics } from './passwords-metrics.js'
import { STRENGTH_HEADER, strengthOf } from './strength.js'

interface PasswordChange {
  current: string
  next: string
}

/**
 * Changes passwords. A change revokes the user's other sessions, because they may be stolen. It requires the
 * current password, and failures are rate-limited like failed logins.
 */
@Injectable()
export class PasswordChangeService {
  constructor(
    private readonly passwords: PasswordCheck,
    private readonly hasher: PasswordHasher,
    private readonly revocations: RevocationsService,
    private readonly metrics: PasswordsMetrics,
  ) {}

  /** @throws Problem 400 for an unchanged password, 401 for a wrong current one, 429, 503 */
  async change(
    caller: ValidatedClaims,
    client: ClientContext,
    change: PasswordChange,
  ): Promise<void> {
    return this.metrics.changes.count(
      () => this.apply(caller, client, change),
      () => 'changed',
    )
  }

  private async apply(caller: ValidatedClaims, client: ClientContext, change: PasswordChange) {
    const { current, next } = change
    if (current === next) {
      const message = 'must differ from the current password'
      throw validationProblem([{ field: 'newPassword', message }])
    }
    const user = await this.passwords.check({ phone: caller.phone, client }, current)
    if (!user) throw wrongPassword()
    const row = {
      id: newUuid(),
      userId: user.id,
      sid: caller.sid,
      passwordVersion: user.passwordVersion,
      passwordHash: await this.hasher.hash(next),
      origin: client.origin,
    }
    // No 503 while revocations are pending: a retry would fail, because the current password is already the
    // new one.
    const published = await this.revocations.revokeBy('password', user.id, (run, retried) =>
      changePassword(run, retried, row),
    )
    if (published === undefined) throw wrongPassword()
    const strength = await strengthOf(next, [caller.email, caller.phone])
    client.setHeaders({ [STRENGTH_HEADER]: String(strength) })
  }
}

function wrongPassword() {
  return wrongCredentials('The current password is wrong.')
}
