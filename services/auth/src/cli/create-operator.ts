import type { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Registry } from 'prom-client'
import type { Env } from '../env.js'
import { commonestPasswords } from '../passwords/commonest-passwords.js'
import { PasswordHasher } from '../passwords/hashing.js'
import { passwordViolations } from '../passwords/password.js'
import { defaultScopes, effectiveScopes } from '../tokens/scopes.js'
import { grantScopes } from '../users/grants.store.js'
import { insertUser } from '../users/users.store.js'
import { type CreateOperatorCommand, UsageError } from './operator-command.js'

/** The origin in the audit trail. */
const ORIGIN = { address: null, userAgent: 'operator command' }

export interface Context {
  database: Database
  env: Env
  /** Called only to create an account. */
  password: () => Promise<string>
}

/**
 * Creates an operator and returns a line about it. The command is idempotent: scopes are added to the
 * existing ones, and the password of an existing account is neither asked for nor changed.
 */
export async function createOperator(
  context: Context,
  command: CreateOperatorCommand,
): Promise<string> {
  const existing = await grant(context, command)
  if (existing) return existing
  const created = await create(context, command)
  if (created) return created
  // Another client registered the phone number during the password prompt.
  const registered = await grant(context, command)
  if (registered) return registered
  throw new UsageError('the account no longer exists: retry')
}

async function grant(
  { database, env }: Context,
  { phone, granted }: CreateOperatorCommand,
): Promise<string | undefined> {
  const defaults = defaultScopes(env.MODE)
  const change = { id: newUuid(), phone, defaults, granted, origin: ORIGIN }
  const user = await database.write((run) => grantScopes(run, change))
  if (!user) return undefined
  const scopes = effectiveScopes(user.scopes, env.MODE).join(' ')
  return `account ${user.id} has ${scopes} (in tokens after the next login or refresh)`
}

/** @returns undefined if an account with this phone number was created in the meantime */
async function create(
  context: Context,
  command: CreateOperatorCommand,
): Promise<string | undefined> {
  const { database, env } = context
  const { phone, email } = command
  if (email === undefined) {
    throw new UsageError('no account has this phone: pass --email to create one')
  }
  const passwordHash = await hashedPassword(context)
  const scopes = effectiveScopes([...defaultScopes(env.MODE), ...command.granted], env.MODE)
  const user = { id: newUuid(), phone, email, passwordHash, scopes, origin: ORIGIN }
  const created = await database.write((run) => insertUser(run, user))
  if (created === 'phone') return undefined
  if (created === 'email') throw new UsageError('another account has this email')
  return `account ${user.id} created with ${scopes.join(' ')}`
}

async function hashedPassword({ env, password: read }: Context): Promise<string> {
  const password = await read()
  const violations = passwordViolations(password, await commonestPasswords())
  if (violations.length > 0) throw new UsageError(`the password ${violations.join(', ')}`)
  return new PasswordHasher(env, new Registry()).hash(password)
}
