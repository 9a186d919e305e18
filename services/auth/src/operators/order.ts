import { parseArgs } from 'node:util'
import { normaliseEmail, normalisePhone } from '@malipo/kit/http/contact'
import { isEmail } from 'class-validator'
import { grantableScopes, type Mode, OPERATOR_SCOPES, type Scope } from '../users/scopes.js'

export const USAGE = `operator --phone +256772123456 [--email amina@example.com] [--grant scope,scope]

Gives the account with this phone the scopes of --grant (${OPERATOR_SCOPES.join(',')}) beside those
it has, and makes the account if there is none: that takes --email and a password, which is read from
OPERATOR_PASSWORD or asked for, and never is an argument, since arguments are seen by everyone.`

/** What the command is asked to do. */
export interface Order {
  phone: string
  /** Needed only when the account is to be made. */
  email: string | undefined
  granted: Scope[]
}

/** The order is not one, or can't be carried out; its text is for the operator. */
export class OrderError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'OrderError'
  }
}

/** @throws OrderError when an argument is missing, unknown or not to be given in this mode */
export function parseOrder(args: readonly string[], mode: Mode): Order {
  const { phone, email, grant, help } = parse(args)
  if (help || phone === undefined) throw new OrderError(USAGE)
  const normal = normalisePhone(phone)
  if (normal === undefined) throw new OrderError('--phone must be a phone number')
  if (email !== undefined && !isEmail(normaliseEmail(email))) {
    throw new OrderError('--email must be an email address')
  }
  return {
    phone: normal,
    email: email && normaliseEmail(email),
    granted: grant === undefined ? [...OPERATOR_SCOPES] : parseScopes(grant, mode),
  }
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  const options = { phone: text, email: text, grant: text, help: { type: 'boolean' } } as const
  try {
    return parseArgs({ args: [...args], options }).values
  } catch {
    throw new OrderError(USAGE)
  }
}

function parseScopes(text: string, mode: Mode): Scope[] {
  const grantable = grantableScopes(mode)
  return text.split(',').map((item) => {
    const scope = grantable.find((known) => known === item.trim())
    if (scope) return scope
    throw new OrderError(
      `${JSON.stringify(item.trim())} can’t be granted in ${mode}; these can: ${grantable.join(', ')}`,
    )
  })
}
