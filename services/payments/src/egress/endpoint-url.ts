import { isIP } from 'node:net'
import { withoutBrackets } from '@malipo/kit/config/ip-address'
import { isPublicAddress } from './address.js'
import { type EgressPolicy, isAllowedHost } from './policy.js'

/** The longest URL of an endpoint, in characters. */
export const MAX_URL_LENGTH = 2_048
/** The port of HTTPS. Other ports below 1024 belong to other protocols. */
const HTTPS_PORT = 443
const FIRST_UNPRIVILEGED_PORT = 1_024
/** Top-level names that never are a public host: RFC 6761, 6762, 7686, 8375 and ICANN's resolution on `internal`. */
const INTERNAL_NAME = /(?:^|\.)(?:localhost|local|internal|localdomain|invalid|onion|arpa)$/
/** RFC 1035, section 2.3.4, in the form that `URL` renders; with `_`, which names of hosts in use have. */
const HOST_NAME = /^(?=.{1,253}$)(?:[a-z\d_][\w-]{0,62}\.)+[a-z\d-]{2,63}$/

/** The URL of an endpoint as it is delivered to, or why not. */
export type JudgedUrl =
  | { readonly kind: 'accepted'; readonly url: URL }
  | {
      readonly kind: 'refused'
      readonly error: 'invalid_url' | 'forbidden_address'
      /** The rest of a sentence that begins with the name of the field. */
      readonly reason: string
    }

/**
 * Why a URL can't be the one of an endpoint: the rest of a sentence that begins with the name of the field, such as
 * `must begin with https://`. Undefined if it can be.
 */
export function endpointUrlProblem(text: string, policy: EgressPolicy): string | undefined {
  const judged = judgeUrl(text, policy)
  return judged.kind === 'refused' ? judged.reason : undefined
}

/**
 * Judges the URL of an endpoint when it is registered, and before each try, since the policy may have changed. The names
 * of its host are not resolved here.
 */
export function judgeUrl(text: string, policy: EgressPolicy): JudgedUrl {
  if (text.length > MAX_URL_LENGTH) {
    return invalid(`must have at most ${MAX_URL_LENGTH} characters`)
  }
  // The parser drops tabs and line breaks, and reads a backslash as a slash: a reader would see another URL.
  if (!text.isWellFormed() || /[\s\\\p{Cc}\p{Cf}]/u.test(text)) {
    return invalid('must have no spaces, backslashes or control characters')
  }
  // The parser also reads `https:host`, `https:/host` and `https:///host`.
  const [, scheme = '', authority = ''] = /^([a-z]+):\/\/([^/?#]+)/i.exec(text) ?? []
  const schemes = policy.mode === 'live' ? ['https'] : ['https', 'http']
  if (!schemes.includes(scheme.toLowerCase())) {
    return invalid(`must begin with ${schemes.map((each) => `${each}://`).join(' or ')} and a host`)
  }
  // Also an empty user, or an empty fragment, which the parsed URL does not show.
  if (authority.includes('@')) return invalid('must have no user or password')
  if (text.includes('#')) return invalid('must have no fragment')
  const url = URL.parse(text)
  if (!url) return invalid('must be a URL such as https://merchant.example/notifications')
  return judgeTarget(url, policy)
}

function judgeTarget(url: URL, policy: EgressPolicy): JudgedUrl {
  const port = portOf(url)
  // The parser has read every spelling of an IPv4 address, such as 0x7f.1 and full-width digits.
  const host = withoutBrackets(url.hostname)
  if (isAllowedHost(policy, host, port)) return { kind: 'accepted', url }
  const isLiteral = isIP(host) !== 0
  if (isLiteral ? !isPublicAddress(host, policy) : INTERNAL_NAME.test(host.replace(/\.$/, ''))) {
    const reason = 'must have a host that is public: it names an internal one'
    return { kind: 'refused', error: 'forbidden_address', reason }
  }
  if (!isLiteral && !HOST_NAME.test(host)) {
    return invalid('must have the complete name of a public host, such as merchant.example')
  }
  if (port !== HTTPS_PORT && port < FIRST_UNPRIVILEGED_PORT) {
    return invalid(`must have port ${HTTPS_PORT}, or one from ${FIRST_UNPRIVILEGED_PORT} on`)
  }
  return { kind: 'accepted', url }
}

/** The port that a URL of `http` or `https` is connected to. */
export function portOf({ port, protocol }: Pick<URL, 'port' | 'protocol'>): number {
  return port === '' ? (protocol === 'https:' ? HTTPS_PORT : 80) : Number(port)
}

function invalid(reason: string): JudgedUrl {
  return { kind: 'refused', error: 'invalid_url', reason }
}
