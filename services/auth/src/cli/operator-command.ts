import { parseOptions, UsageError } from '@malipo/kit/command'
import { normaliseEmail, normalisePhone } from '@malipo/kit/http/contact'
import { grantableScopes, type Mode, OPERATOR_SCOPES, type Scope } from '../tokens/scopes.js'

const USAGE = `operator --phone +256772123456 [--email amina@example.com] [--grant scope,scope]

Grants the account with this phone the scopes of --grant (${OPERATOR_SCOPES.join(',')}) in addition
to its own. In live, a merchant needs --grant payments:write. If no account has the phone, one is
created. This needs --email and a password, which is read from OPERATOR_PASSWORD or prompted for:
other users can see the arguments of a process.`

export interface OperatorCommand {
  phone: string
  /** Needed only for a new account. */
  email: string | undefined
  granted: Scope[]
}

/** @throws UsageError for a missing or unknown argument, or a scope that the mode does not grant */
export function parseCommand(args: string[], mode: Mode): OperatorCommand {
  const string = { type: 'string' } as const
  const { phone, email, grant, help } = parseOptions(USAGE, {
    args,
    options: { phone: string, email: string, grant: string, help: { type: 'boolean' } },
  }).values
  if (help || phone === undefined) throw new UsageError(USAGE)
  const normalised = normalisePhone(phone)
  if (normalised === undefined) throw new UsageError('--phone must be a phone number')
  const normalEmail = email === undefined ? undefined : normaliseEmail(email)
  if (email !== undefined && normalEmail === undefined) {
    throw new UsageError('--email must be an email address')
  }
  return {
    phone: normalised,
    email: normalEmail,
    granted: grant === undefined ? [...OPERATOR_SCOPES] : parseScopes(grant, mode),
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
