import { runCommand, UsageError } from '@malipo/kit/command'
import { setDefaultRegion } from '@malipo/kit/http/contact'
import { Database } from '@malipo/kit/postgres/database'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { createLogger } from '@malipo/kit/telemetry/logger'
import { Registry } from 'prom-client'
import { DataSource } from 'typeorm'
import { dataSource } from '../data-source.js'
import { readOperatorEnv } from '../env.js'
import { PasswordHasher } from '../passwords/hashing.js'
import { commonestPasswords, normalisePassword, passwordViolations } from '../passwords/password.js'
import { defaultScopes, effectiveScopes } from '../tokens/scopes.js'
import { grantScopes } from '../users/grants.store.js'
import { insertUser } from '../users/users.store.js'
import { askPassword } from './ask-password.js'
import { type OperatorCommand, parseCommand } from './operator-command.js'

/** The origin of the command's events in the audit trail. */
const ORIGIN = { address: null, userAgent: 'operator command' }

type OperatorEnv = ReturnType<typeof readOperatorEnv>

/** The command uses the service's environment, for example in its pod. */
await runCommand('operator', async () => {
  const env = readOperatorEnv()
  setDefaultRegion(env.DEFAULT_REGION)
  const command = parseCommand(process.argv.slice(2), env.MODE)
  const source = new DataSource(dataSourceOptions(env, dataSource))
  const database = new Database(source, env, createLogger('auth', 'warn'))
  database.onApplicationBootstrap()
  try {
    return [await createOperator(database, env, command)]
  } finally {
    await database.onApplicationShutdown()
  }
})

/** Idempotent: adds to the existing scopes, and never changes the password of an existing account. */
async function createOperator(database: Database, env: OperatorEnv, command: OperatorCommand) {
  const line =
    (await grant(database, env, command)) ??
    (await create(database, env, command)) ??
    // Another client registered the phone number during the password prompt, so the account now exists.
    (await grant(database, env, command))
  if (line === undefined) throw new UsageError('the account no longer exists: retry')
  return line
}

/** @returns undefined if no account has the phone */
async function grant(database: Database, env: OperatorEnv, { phone, granted }: OperatorCommand) {
  const defaults = defaultScopes(env.MODE)
  const change = { id: newUuid(), phone, defaults, granted, origin: ORIGIN }
  const user = await database.write((run) => grantScopes(run, change))
  if (!user) return undefined
  if (user === 'closed') throw new UsageError('the merchant of this account is closed')
  const scopes = effectiveScopes(user.scopes, env.MODE).join(' ')
  return `account ${user.id} has ${scopes} (in tokens after the next login or refresh)`
}

/** @returns undefined if an account with this phone number was created in the meantime */
async function create(database: Database, env: OperatorEnv, command: OperatorCommand) {
  const { phone, email, granted } = command
  if (email === undefined) {
    throw new UsageError('no account has this phone: pass --email to create one')
  }
  const password = normalisePassword(env.OPERATOR_PASSWORD ?? (await askPassword()))
  const violations = passwordViolations(password, await commonestPasswords())
  if (violations.length > 0) throw new UsageError(`the password ${violations.join(', ')}`)
  const flow = { network: '', caller: phone }
  const passwordHash = await new PasswordHasher(env, new Registry()).hash(password, flow)
  const scopes = effectiveScopes([...defaultScopes(env.MODE), ...granted], env.MODE)
  const user = { id: newUuid(), phone, email, passwordHash, scopes, origin: ORIGIN }
  const created = await database.write((run) => insertUser(run, user))
  if (created === 'phone') return undefined
  if (created === 'email') throw new UsageError('another account has this email')
  return `account ${user.id} created with ${scopes.join(' ')}`
}
