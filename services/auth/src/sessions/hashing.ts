import { Inject, Injectable } from '@nestjs/common'
import { compare, hash } from 'bcrypt'
import { type AuthEnv, ENV } from '../env.js'
import { costOf, remainingWork } from './work.js'

/** bcrypt at the configured cost, on the thread pool. */
@Injectable()
export class Hashing {
  private readonly cost: number

  constructor(@Inject(ENV) env: Pick<AuthEnv, 'BCRYPT_COST'>) {
    this.cost = env.BCRYPT_COST
  }

  hash(password: string): Promise<string> {
    return hash(password, this.cost)
  }

  /** Whether a hash was made with another cost than is configured now. */
  isOutdated(stored: string): boolean {
    return costOf(stored) !== this.cost
  }

  /** Whether the password fits the stored hash; a no takes the same work without one. */
  async matches(password: string, stored: string | undefined): Promise<boolean> {
    if (stored !== undefined && (await compare(password, stored))) return true
    for (const dummy of remainingWork(stored, this.cost)) await compare(password, dummy)
    return false
  }
}
