import type { Request } from './request.js'

/** The caller of all requests without a token, who may be thousands of customers in one network. */
export const ANONYMOUS = ''

/**
 * Identifies the caller of a request before its token is validated: by the token, which is secret. The
 * scheme of the header is left out, because a client can vary it.
 */
export function callerOf({ headers: { authorization } }: Pick<Request, 'headers'>): string {
  if (authorization === undefined) return ANONYMOUS
  return authorization.slice(authorization.lastIndexOf(' ') + 1)
}
