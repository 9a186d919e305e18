import { Problem } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { type ClientContext, flowOf } from '../client-context/client-context.js'
import { OutcomeCounter } from '../outcome-counter.js'
import { PasswordHasher } from '../passwords/hashing.js'
import { strengthHeader } from '../passwords/strength.js'
import { PROBLEMS } from '../problems.js'
import { NetworkRateLimits } from '../rate-limit/network-rate-limits.js'
import type { RegisterDto } from './users.dto.js'
import { insertUser, userById, type UserRow } from './users.store.js'

const TAKEN = { phone: PROBLEMS.phoneTaken, email: PROBLEMS.emailTaken }

/** Registers and reads accounts. Unique constraints decide between concurrent registrations. */
@Injectable()
export class UsersService {
  private readonly registrations

  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly hasher: PasswordHasher,
    private readonly limits: NetworkRateLimits,
    @Inject(Registry) registry: Registry,
  ) {
    const metric = { name: 'registrations_total', help: 'Registrations by outcome' }
    const outcomes = ['created', 'taken', 'throttled', 'failed'] as const
    this.registrations = new OutcomeCounter(registry, metric, outcomes)
  }

  /** @throws Problem 409 if the phone or the email is taken, 429, 503 */
  async register(body: RegisterDto, client: ClientContext): Promise<UserRow> {
    const operation = async () => this.create(body, client)
    return this.registrations.count(operation, () => 'created')
  }

  /** Returns the account of an authenticated caller. */
  async byId(id: string): Promise<UserRow> {
    return this.database.read((run) => userById(run, id))
  }

  private async create({ phone, email, password }: RegisterDto, client: ClientContext) {
    await this.limits.countRegistration(client)
    const passwordHash = await this.hasher.hash(password, flowOf(client, phone))
    const user = { id: newUuid(), phone, email, passwordHash, scopes: null, origin: client.origin }
    const created = await this.database.write((run) => insertUser(run, user))
    if (typeof created === 'string') {
      throw new Problem(TAKEN[created], `Log in, or use another ${created}.`)
    }
    client.setHeaders(await strengthHeader(password, [email, phone]))
    return created
  }
}
