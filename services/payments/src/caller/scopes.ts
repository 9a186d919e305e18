/** The scopes that payments checks. Auth grants them; RFC 6749, section 3.3, defines their syntax. */
export type Scope = 'payments:read' | 'payments:write' | 'payments:settle' | 'payments:admin'

/** The caller of a request, from the claims that auth validated. */
export interface Caller {
  /** The token's `sub`, a UUID. */
  readonly id: string
  readonly scopes: ReadonlySet<string>
}

/** Operators can read and change every user's payments. */
export function isOperator(caller: Caller): boolean {
  return caller.scopes.has('payments:admin')
}
