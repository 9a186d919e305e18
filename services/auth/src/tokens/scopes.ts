const MODES = ['sandbox', 'live'] as const
export type Mode = (typeof MODES)[number]

/**
 * How users get the scope: by default (`everyone`), from an operator (`operator`), only by the operator command
 * (`command`), or not at all (`never`).
 */
type Rule = 'everyone' | 'operator' | 'command' | 'never'

/**
 * In `live`, an operator approves each account that creates payments or receives notifications. Only a provider, a signed webhook or an
 * operator settles a payment, never the merchant. `key` states whether API keys can have the scope.
 */
const SCOPES = {
  'payments:read': { sandbox: 'everyone', live: 'everyone', key: true },
  'payments:write': { sandbox: 'everyone', live: 'operator', key: true },
  'payments:settle': { sandbox: 'everyone', live: 'never', key: true },
  'webhooks:write': { sandbox: 'everyone', live: 'operator', key: true },
  'payments:admin': { sandbox: 'command', live: 'command', key: false },
  'auth:admin': { sandbox: 'command', live: 'command', key: false },
} as const satisfies Record<string, Record<Mode, Rule> & { readonly key: boolean }>

export type Scope = keyof typeof SCOPES

const ALL = Object.keys(SCOPES) as Scope[]

/** The scopes of operators: the operator command grants them by default, and nothing else grants them. */
export const OPERATOR_SCOPES: readonly Scope[] = ALL.filter((scope) =>
  MODES.some((mode) => SCOPES[scope][mode] === 'command'),
)

export function defaultScopes(mode: Mode): Scope[] {
  return ALL.filter((scope) => SCOPES[scope][mode] === 'everyone')
}

/** The scopes that an account can have in the mode. */
export function grantableScopes(mode: Mode): Scope[] {
  return ALL.filter((scope) => SCOPES[scope][mode] !== 'never')
}

/** The scopes that an API key can have in the mode: never those of operators. */
export function keyScopes(mode: Mode): Scope[] {
  return grantableScopes(mode).filter((scope) => SCOPES[scope].key)
}

/** The scopes of a key that its merchant has now. `merchant` is null for the mode's defaults. */
export function effectiveKeyScopes(
  key: readonly string[],
  merchant: readonly string[] | null,
  mode: Mode,
): Scope[] {
  const current = effectiveScopes(merchant, mode)
  return keyScopes(mode).filter((scope) => key.includes(scope) && current.includes(scope))
}

/** The stored scopes without those that the mode never grants; for null, the mode's defaults. */
export function effectiveScopes(stored: readonly string[] | null, mode: Mode): Scope[] {
  if (stored === null) return defaultScopes(mode)
  return grantableScopes(mode).filter((scope) => stored.includes(scope))
}
