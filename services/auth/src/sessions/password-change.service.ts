import { Database } from '@malipo/kit/postgres/database'
import { Problem } from '@malipo/kit/http/problem'
import { validationProblem } from '@malipo/kit/http/validation'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { Meters } from '../audit/meters.js'
import { PROBLEMS } from '../problems.js'
import { Revocations } from '../revocations/revocations.js'
import { untoldOf } from '../revocations/untold.store.js'
import type { Visit } from '../throttle/visit.js'
import type { Validated } from '../tokens/token-check.js'
import { changePassword } from './end.store.js'
import { Hashing } from './hashing.js'
import { PasswordCheck } from './password-check.js'
import { STRENGTH_HEADER, strengthOf } from './strength.js'

interface Given {
  current: string
  next: string
}

/**
 * A new password ends the other sessions of its user, for one of them may be why it is changed. Who only has
 * a token can't change it, and guesses of the current one are held up like those of a login.
 */
@Injectable()
export class PasswordChange {
  constructor(
    private readonly passwords: PasswordCheck,
    private readonly hashing: Hashing,
    private readonly revocations: Revocations,
    private readonly meters: Meters,
    @Inject(Database) private readonly database: Database,
  ) {}

  /** @throws Problem 400 for the same password again, 401 for a wrong current one, 429, 503 */
  async change(caller: Validated, visit: Visit, given: Given): Promise<void> {
    return this.meters.count(
      'password_changes',
      () => this.make(caller, visit, given),
      () => 'made',
    )
  }

  private async make(caller: Validated, visit: Visit, given: Given): Promise<void> {
    if (given.current === given.next) {
      throw validationProblem([
        { field: 'newPassword', message: 'must be another than the current one' },
      ])
    }
    const user = await this.passwords.check({ phone: caller.phone, visit }, given.current)
    if (!user) throw wrong()
    const change = {
      id: newUuid(),
      userId: user.id,
      sid: caller.sid,
      passwordVersion: user.passwordVersion,
      passwordHash: await this.hashing.hash(given.next),
      origin: visit.origin,
    }
    const ended = await this.database.write((run, retried) => changePassword(run, retried, change))
    if (ended === undefined) throw wrong()
    this.meters.ended('password', ended)
    const strength = await strengthOf(given.next, [caller.email, caller.phone])
    visit.tell({ [STRENGTH_HEADER]: String(strength) })
    // Repeated, this would be refused, so it is not answered by 503 when Redis can't be told just now.
    await this.revocations.tell(await this.database.read((run) => untoldOf(run, user.id)))
  }
}

function wrong(): Problem {
  return new Problem(PROBLEMS.wrongCredentials, 'The current password is another one.', {
    headers: { 'www-authenticate': 'Bearer' },
  })
}
