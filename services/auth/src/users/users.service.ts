import { Problem, type ProblemKind } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { PasswordHasher } from '../passwords/hashing.js'
import { STRENGTH_HEADER, strengthOf } from '../passwords/strength.js'
import { PROBLEMS } from '../problems.js'
import { NetworkRateLimits } from '../rate-limit/network-rate-limits.js'
import { User } from './user.entity.js'
import { UsersMetrics } from './users-metrics.js'
import { insertUser, type UniqueField, type UserRow } from './users.store.js'

export interface Registration {
  phone: string
  email: string
  password: string
}

const TAKEN: Record<UniqueField, ProblemKind> = {
  phone: PROBLEMS.phoneTaken,
  email: PROBLEMS.emailTaken,
}

/** Registers and reads accounts. Unique constraints decide between concurrent registrations. */
@Injectable()
export class UsersService {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly hasher: PasswordHasher,
    private readonly limits: NetworkRateLimits,
    private readonly metrics: UsersMetrics,
  ) {}

  /** @throws Problem 409 if the phone or the email is taken, 429, 503 while the database is unavailable */
  async register(registration: Registration, client: ClientContext): Promise<UserRow> {
    return this.metrics.registrations.count(
      () => this.create(registration, client),
      () => 'created',
    )
  }

  /** The account of an authenticated caller; accounts are never deleted. */
  async byId(id: string): Promise<UserRow> {
    return this.database.find('user_by_id', async (orm) => {
      const { phone, email, createdAt } = await orm.getRepository(User).findOneByOrFail({ id })
      return { id, phone, email, createdAt }
    })
  }

  private async create({ phone, email, password }: Registration, client: ClientContext) {
    await this.limits.countRegistration(client)
    const passwordHash = await this.hasher.hash(password)
    const user = { id: newUuid(), phone, email, passwordHash, scopes: null, origin: client.origin }
    const created = await this.database.write((run) => insertUser(run, user))
    if (typeof created === 'string') {
      throw new Problem(TAKEN[created], `Log in, or use another ${created}.`)
    }
    client.setHeaders({ [STRENGTH_HEADER]: String(await strengthOf(password, [email, phone])) })
    return created
  }
}
