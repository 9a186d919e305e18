import { parseArgs } from 'node:util'
import { normaliseEmail, normalisePhone } from '@malipo/kit/http/contact'
import { isEmail } from 'class-validator'
import { grantableScopes, type Mode, OPERATOR_SCOPES, type Scope } from '../tokens/scopes.js'

export const USAGE = `operator --phone +256772123456 [--email amina@example.com] [--grant scope,scope]

Grants the account with this phone the scopes of --grant (${OPERATOR_SCOPES.join(',')}) in addition
to its own. If no account has the phone, one is created. This needs --email and a password, which
is read from OPERATOR_PASSWORD or prompted for: other users can see the arguments of a process.`

export interface CreateOperatorCommand {
  phone: string
  /** Needed only for a new account. */
  email: string | undefined
  granted: Scope[]
}

/** An invalid command, or one that cannot be carried out. The message is for the operator. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** @throws UsageError for a missing or unknown argument, or a scope that the mode does not grant */
export function parseCommand(args: readonly string[], mode: Mode): CreateOperatorCommand {
  const { phone, email, grant, help } = parse(args)
  if (help || phone === undefined) throw new UsageError(USAGE)
  const normalised = normalisePhone(phone)
  if (normalised === undefined) throw new UsageError('--phone must be a phone number')
  if (email !== undefined && !isEmail(normaliseEmail(email))) {
    throw new UsageError('--email must be an email address')
  }
  return {
    phone: normalised,
    email: email && normaliseEmail(email),
    granted: grant === undefined ? [...OPERATOR_SCOPES] : parseScopes(grant, mode),
  }
}

function parse(args: readonly string[]) {
  const string = { type: 'string' } as const
  const options = {
    phone: string,
    email: string,
    grant: string,
    help: { type: 'boolean' },
  } as const
  try {
    return parseArgs({ args: [...args], options }).values
  } catch {
    throw new UsageError(USAGE)
  }
}

function parseScopes(text: string, mode: Mode): Scope[] {
  const grantable = grantableScopes(mode)
  return text.split(',').map((item) => {
    const scope = grantable.find((known) => known === item.trim())
    if (scope) return scope
    throw new UsageError(
      `${JSON.stringify(item.trim())} cannot be granted in ${mode}; grantable: ${grantable.join(', ')}`,
    )
  })
}
