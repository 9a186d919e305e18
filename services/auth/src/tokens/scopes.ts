export type Mode = 'sandbox' | 'live'

/**
 * How users get the scope: by default (`everyone`), from an operator (`operator`), only by the operator command
 * (`command`), or not at all (`never`).
 */
type Rule = 'everyone' | 'operator' | 'command' | 'never'

/**
 * In `live`, an operator approves each account that creates payments. Only a provider, a signed webhook or an
 * operator settles a payment, never the merchant.
 */
const SCOPES = {
  'payments:read': { sandbox: 'everyone', live: 'everyone' },
  'payments:write': { sandbox: 'everyone', live: 'operator' },
  'payments:settle': { sandbox: 'everyone', live: 'never' },
  'payments:admin': { sandbox: 'command', live: 'command' },
  'auth:admin': { sandbox: 'command', live: 'command' },
} as const satisfies Record<string, Record<Mode, Rule>>

export type Scope = keyof typeof SCOPES

const ALL = Object.keys(SCOPES) as Scope[]

/** The scopes of operators: the operator command grants them by default, and nothing else grants them. */
export const OPERATOR_SCOPES: readonly Scope[] = ALL.filter((scope) =>
  Object.values(SCOPES[scope]).some((rule) => rule === 'command'),
)

export function defaultScopes(mode: Mode): Scope[] {
  return ALL.filter((scope) => SCOPES[scope][mode] === 'everyone')
}

/** The scopes that an account can have in the mode. */
export function grantableScopes(mode: Mode): Scope[] {
  return ALL.filter((scope) => SCOPES[scope][mode] !== 'never')
}

/** The stored scopes without those that the mode never grants; for null, the mode's defaults. */
export function effectiveScopes(stored: readonly string[] | null, mode: Mode): Scope[] {
  if (stored === null) return defaultScopes(mode)
  return grantableScopes(mode).filter((scope) => stored.includes(scope))
}
