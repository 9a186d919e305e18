/** The members of a JWT's header that select its key. Their types are those that the token claims. */
export interface TokenHeader {
  readonly kid?: unknown
  readonly alg?: unknown
}

/**
 * The types of an access token: JWT (RFC 7519, section 5.1), which auth signs, and at+jwt (RFC 9068). Another
 * type is a token for another purpose (RFC 8725, section 3.11).
 */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt'])

/**
 * The header of a JWT whose rules this service can follow; undefined for any other string. `crit` names
 * extensions that a recipient must process, and auth processes none (RFC 7515, section 4.1.11).
 */
export function tokenHeader(token: string): TokenHeader | undefined {
  const [head = ''] = token.split('.', 1)
  const header = parseObject(Buffer.from(head, 'base64url').toString())
  if (header === undefined || Object.hasOwn(header, 'crit')) return undefined
  return hasTokenType(header) ? header : undefined
}

/** A missing type is accepted. The prefix and the letter case are insignificant (RFC 7515, section 4.1.9). */
function hasTokenType(header: object): boolean {
  if (!('typ' in header)) return true
  const { typ } = header
  return typeof typ === 'string' && TYPES.has(typ.toLowerCase().replace(/^application\//, ''))
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
