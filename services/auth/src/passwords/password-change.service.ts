import { validationProblem } from '@malipo/kit/http/validation'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { type ClientContext, flowOf } from '../client-context/client-context.js'
import { OutcomeCounter } from '../outcome-counter.js'
import { wrongCredentials } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import type { ValidatedClaims } from '../tokens/tokens.service.js'
import { changePassword } from './credentials.store.js'
import { PasswordHasher } from './hashing.js'
import { PasswordCheck } from './password-check.js'
import type { PasswordDto } from './passwords.dto.js'
import { strengthHeader } from './strength.js'

/** Changes passwords. A change revokes the user's other sessions, because a thief may have opened them. */
@Injectable()
export class PasswordChangeService {
  private readonly changes

  constructor(
    private readonly passwords: PasswordCheck,
    private readonly hasher: PasswordHasher,
    private readonly revocations: RevocationsService,
    @Inject(Registry) registry: Registry,
  ) {
    const metric = { name: 'password_changes_total', help: 'Password changes by outcome' }
    this.changes = new OutcomeCounter(registry, metric, ['changed', 'wrong', 'throttled', 'failed'])
  }

  /** @throws Problem 400 for an unchanged password, 401 for a wrong current password, 429, 503 */
  async change(caller: ValidatedClaims, client: ClientContext, body: PasswordDto): Promise<void> {
    const operation = async () => this.apply(caller, client, body)
    return this.changes.count(operation, () => 'changed')
  }

  private async apply(caller: ValidatedClaims, client: ClientContext, body: PasswordDto) {
    const { currentPassword, newPassword } = body
    if (currentPassword === newPassword) {
      const message = 'must differ from the current password'
      throw validationProblem([{ field: 'newPassword', message }])
    }
    const { phone, sid } = caller
    const user = await this.passwords.check({ phone, client, sid }, currentPassword)
    if (!user) throw wrongPassword()
    const row = {
      id: newUuid(),
      userId: user.id,
      sid,
      passwordVersion: user.passwordVersion,
      passwordHash: await this.hasher.hash(newPassword, flowOf(client, caller.phone)),
      origin: client.origin,
    }
    // Pending revocations cause no 503: a client's retry would fail, because the password has changed.
    const published = await this.revocations.revokeBy('password', user.id, (run, retried) =>
      changePassword(run, retried, row),
    )
    if (published === undefined) throw wrongPassword()
    client.setHeaders(await strengthHeader(newPassword, [caller.email, caller.phone]))
  }
}

const wrongPassword = () => wrongCredentials('The current password is wrong.')
