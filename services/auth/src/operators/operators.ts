import type { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Registry } from 'prom-client'
import type { AuthEnv } from '../env.js'
import { commonestPasswords } from '../sessions/commonest-passwords.js'
import { Hashing } from '../sessions/hashing.js'
import { passwordFaults } from '../sessions/password.js'
import { defaultScopes, effectiveScopes } from '../users/scopes.js'
import { grantScopes } from '../users/grants.store.js'
import { insertUser } from '../users/users.store.js'
import { type Order, OrderError } from './order.js'

/** As the audit trail has it. */
const ORIGIN = { address: null, userAgent: 'operator command' }

export interface Means {
  database: Database
  env: AuthEnv
  /** Asked only when an account is to be made. */
  password: () => Promise<string>
}

/**
 * Carries out an order and says what came of it. Done twice it changes nothing more: scopes are added to
 * those that are there, and the password of an account that exists is neither asked for nor changed.
 */
export async function makeOperator(means: Means, order: Order): Promise<string> {
  const existing = await grant(means, order)
  if (existing) return existing
  const made = await make(means, order)
  if (made) return made
  // Someone registered the phone while the password was asked for.
  const registered = await grant(means, order)
  if (registered) return registered
  throw new OrderError('the account came and went: try again')
}

async function grant({ database, env }: Means, order: Order): Promise<string | undefined> {
  const { phone, granted } = order
  const defaults = defaultScopes(env.MODE)
  const wish = { id: newUuid(), phone, defaults, granted, origin: ORIGIN }
  const user = await database.write((run) => grantScopes(run, wish))
  if (!user) return undefined
  const scopes = effectiveScopes(user.scopes, env.MODE).join(' ')
  return `account ${user.id} now has: ${scopes} (in tokens from the next login or refresh on)`
}

/** undefined when an account has the phone by now. */
async function make(means: Means, order: Order): Promise<string | undefined> {
  const { database, env } = means
  const { phone, email } = order
  if (email === undefined) {
    throw new OrderError('no account has this phone: give --email too, to make one')
  }
  const passwordHash = await new Hashing(env, new Registry()).hash(await acceptable(means.password))
  const scopes = effectiveScopes([...defaultScopes(env.MODE), ...order.granted], env.MODE)
  const user = { id: newUuid(), phone, email, passwordHash, scopes, origin: ORIGIN }
  const made = await database.write((run) => insertUser(run, user))
  if (made === 'phone') return undefined
  if (made === 'email') throw new OrderError('another account has this email')
  return `account ${user.id} made with: ${scopes.join(' ')}`
}

async function acceptable(ask: () => Promise<string>): Promise<string> {
  const password = await ask()
  const faults = passwordFaults(password, await commonestPasswords())
  if (faults.length > 0) throw new OrderError(`the password ${faults.join(', ')}`)
  return password
}
