import { Database } from '@malipo/kit/postgres/database'
import { type ProblemKind, Problem } from '@malipo/kit/http/problem'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { PROBLEMS } from '../problems.js'
import { Meters } from '../audit/meters.js'
import { Hashing } from '../sessions/hashing.js'
import { STRENGTH_HEADER, strengthOf } from '../sessions/strength.js'
import { Throttle } from '../throttle/throttle.js'
import type { Visit } from '../throttle/visit.js'
import { User } from './user.entity.js'
import { insertUser, type Taken, type UserRow } from './users.store.js'

export interface Registration {
  phone: string
  email: string
  password: string
}

const TAKEN: Record<Taken, ProblemKind> = { phone: PROBLEMS.phoneTaken, email: PROBLEMS.emailTaken }

/**
 * Accounts. Whether a phone or an email is taken is decided by the database in the INSERT itself, so
 * that of any number of registrations at once one makes the account and the others get 409.
 */
@Injectable()
export class Users {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly hashing: Hashing,
    private readonly meters: Meters,
    private readonly throttle: Throttle,
  ) {}

  /** @throws Problem 409 when the phone or the email is taken, 429, 503 when the database is away */
  async register(registration: Registration, visit: Visit): Promise<UserRow> {
    return this.meters.count(
      'registrations',
      () => this.make(registration, visit),
      () => 'made',
    )
  }

  /** The account of a caller whose token was just found valid; accounts are never deleted. */
  async byId(id: string): Promise<UserRow> {
    return this.database.find('account', async (orm) => {
      const { phone, email, createdAt } = await orm.getRepository(User).findOneByOrFail({ id })
      return { id, phone, email, createdAt }
    })
  }

  private async make({ phone, email, password }: Registration, visit: Visit): Promise<UserRow> {
    await this.throttle.countRegistration(visit)
    const passwordHash = await this.hashing.hash(password)
    const user = { id: newUuid(), phone, email, passwordHash, scopes: null, origin: visit.origin }
    const made = await this.database.write((run) => insertUser(run, user))
    if (typeof made === 'string') throw new Problem(TAKEN[made], 'Log in instead, or use another.')
    visit.tell({ [STRENGTH_HEADER]: String(await strengthOf(password, [email, phone])) })
    return made
  }
}
