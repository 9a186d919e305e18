/** The scopes that payments checks. Auth grants them; RFC 6749, section 3.3, defines their syntax. */
export type Scope =
  'payments:read' | 'payments:write' | 'payments:settle' | 'webhooks:write' | 'payments:admin'

/** The caller of a request, from the claims that auth validated. */
export interface Caller {
  /** The `sub`, a UUID: a user, or the merchant of an API key. */
  readonly id: string
  /** The owner of the payments that the caller creates and sees. */
  readonly merchant: string
  readonly scopes: ReadonlySet<string>
}

/** Operators can read and change every user's payments. */
export function isOperator(caller: Caller): boolean {
  return caller.scopes.has('payments:admin')
}
