export type Mode = 'sandbox' | 'live'

/** How users get the scope: by default (`everyone`), by an operator's grant, or not at all (`never`). */
type Rule = 'everyone' | 'granted' | 'never'

/** In `live`, only a signed webhook or an operator settles a payment, never the merchant. */
const SCOPES = {
  'payments:read': { sandbox: 'everyone', live: 'everyone' },
  'payments:write': { sandbox: 'everyone', live: 'everyone' },
  'payments:settle': { sandbox: 'everyone', live: 'never' },
  'payments:admin': { sandbox: 'granted', live: 'granted' },
  'auth:admin': { sandbox: 'granted', live: 'granted' },
} as const satisfies Record<string, Record<Mode, Rule>>

export type Scope = keyof typeof SCOPES

const ALL = Object.keys(SCOPES) as Scope[]

/** The scopes that the operator command grants by default. */
export const OPERATOR_SCOPES: readonly Scope[] = ['payments:admin', 'auth:admin']

export function defaultScopes(mode: Mode): Scope[] {
  return ALL.filter((scope) => SCOPES[scope][mode] === 'everyone')
}

export function grantableScopes(mode: Mode): Scope[] {
  return ALL.filter((scope) => SCOPES[scope][mode] !== 'never')
}

/** The stored scopes without those that the mode never grants; for null, the mode's defaults. */
export function effectiveScopes(stored: readonly string[] | null, mode: Mode): Scope[] {
  if (stored === null) return defaultScopes(mode)
  return grantableScopes(mode).filter((scope) => stored.includes(scope))
}
