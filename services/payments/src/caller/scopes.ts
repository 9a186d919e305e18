/** What a token may do here; auth grants them, RFC 6749 section 3.3 writes them in one text. */
export const SCOPES = [
  'payments:read',
  'payments:write',
  'payments:settle',
  'payments:admin',
] as const
export type Scope = (typeof SCOPES)[number]

/** Who is calling, as auth says. */
export interface Caller {
  /** The token's `sub`, a UUID. */
  readonly id: string
  readonly scopes: ReadonlySet<string>
}

/** Operators see and move everyone's payments. */
export function isOperator(caller: Caller): boolean {
  return caller.scopes.has('payments:admin')
}
