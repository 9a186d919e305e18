/**
 * What a token may do, as data. In `live` nobody who makes payments can settle them: a signed webhook
 * moves their status, or an operator.
 */

export type Mode = 'sandbox' | 'live'

/** `everyone` has it from the start, `granted` takes the operator's command, `never` is never given. */
type Rule = 'everyone' | 'granted' | 'never'

const SCOPES = {
  'payments:read': { sandbox: 'everyone', live: 'everyone' },
  'payments:write': { sandbox: 'everyone', live: 'everyone' },
  'payments:settle': { sandbox: 'everyone', live: 'never' },
  'payments:admin': { sandbox: 'granted', live: 'granted' },
  'auth:admin': { sandbox: 'granted', live: 'granted' },
} as const satisfies Record<string, Record<Mode, Rule>>

export type Scope = keyof typeof SCOPES

const ALL = Object.keys(SCOPES) as Scope[]

/** What makes an operator, unless the command says otherwise. */
export const OPERATOR_SCOPES: readonly Scope[] = ['payments:admin', 'auth:admin']

/** What every user of this mode may do. */
export function defaultScopes(mode: Mode): Scope[] {
  return ALL.filter((scope) => SCOPES[scope][mode] === 'everyone')
}

/** The scopes that may be given to a user of this mode. */
export function grantableScopes(mode: Mode): Scope[] {
  return ALL.filter((scope) => SCOPES[scope][mode] !== 'never')
}

/**
 * What a user may do: the stored scopes, or the mode's own for null. A stored scope that this mode
 * never gives, or that no longer exists, is left out, wherever the row came from.
 */
export function effectiveScopes(stored: readonly string[] | null, mode: Mode): Scope[] {
  if (stored === null) return defaultScopes(mode)
  return grantableScopes(mode).filter((scope) => stored.includes(scope))
}
