import { EnvError } from 'envalid'
import { withoutBrackets } from './ip-address.js'

/** The parts of the URL of a server, decoded. A missing part is undefined. */
export interface UrlParts {
  readonly scheme: string
  readonly username: string | undefined
  readonly password: string | undefined
  /** Without brackets, and not validated; undefined in a URL such as `postgres:///name` or `postgres://user@/name`. */
  readonly host: string | undefined
  readonly port: number | undefined
  /** The path without its leading slash. */
  readonly path: string | undefined
  readonly parameters: URLSearchParams
}

const ENCODING = 'must have its user and password percent-encoded, such as %25 for % and %2F for /'

/**
 * Splits the URL of a database or of Redis. A password whose `/`, `?`, `#` or `@` is not percent-encoded would
 * end the host early, so that a part of the password would be taken for a host, and logged: such a URL is
 * rejected. Messages never contain a part of the URL.
 *
 * @throws EnvError
 */
export function parseUrl(input: string, schemes: readonly string[]): UrlParts {
  const [, scheme = ''] = /^([a-z]+):\/\//i.exec(input) ?? []
  if (!schemes.includes(scheme.toLowerCase())) {
    throw new EnvError(`must be a URL that begins with ${schemes.join(':// or ')}://`)
  }
  // The parser rejects a user without a host, as in `postgres://user@/name?host=/run`.
  const hasHost = !/^[a-z]+:\/\/[^/?#]*@(\/|$)/i.test(input)
  const url = URL.parse(hasHost ? input : input.replace(/@(?=\/|$)/, '@localhost'))
  if (!url || url.hash !== '' || `${url.pathname}${url.search}`.includes('@')) {
    throw new EnvError(ENCODING)
  }
  const host = withoutBrackets(decode(url.hostname))
  return {
    scheme: scheme.toLowerCase(),
    username: decode(url.username) || undefined,
    password: decode(url.password) || undefined,
    host: hasHost ? host || undefined : undefined,
    port: url.port === '' ? undefined : Number(url.port),
    path: decode(url.pathname.slice(1)) || undefined,
    parameters: url.searchParams,
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new EnvError(ENCODING)
  }
}
