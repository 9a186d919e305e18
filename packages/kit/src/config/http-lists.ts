import { EnvError, makeValidator } from 'envalid'
import { parseNetwork } from './ip-address.js'
import { splitList } from './env.js'

/** Variables of the HTTP edge that are lists: trusted proxies and CORS origins. */

/** Trusted proxies, as addresses and networks in CIDR notation. */
export const proxies = makeValidator<string[]>((input) => splitList(input).map(proxy))

function proxy(item: string): string {
  if (/^\d+$/.test(item)) {
    throw new EnvError(
      'must list the addresses of the proxies; a number of hops is not supported, because a client can forge it',
    )
  }
  const network = parseNetwork(item)
  if (!network) {
    throw new EnvError(
      'must list addresses or networks, such as 10.0.0.0/8 or fd00::/8, separated by commas',
    )
  }
  if (network.prefix === 0) {
    throw new EnvError('must not trust every address, because any client could then forge its own')
  }
  return `${network.address}/${network.prefix}`
}

/** Origins of browsers (RFC 6454), normalised to what browsers send; `*` is every origin. */
export const origins = makeValidator<string[]>((input) => [
  ...new Set(splitList(input).map((item) => (item === '*' ? item : originOf(item)))),
])

function originOf(item: string): string {
  const url = URL.parse(item)
  const isOrigin =
    url !== null &&
    /^https?:\/\//i.test(item) &&
    !/[*\\]/.test(url.host) &&
    `${url.username}${url.password}` === '' &&
    // Everything after the host: `?` and `#` alone are dropped by the parser.
    /^[^/]*\/\/[^/?#\\]+\/?$/.test(item)
  if (isOrigin) return url.origin
  throw new EnvError(
    'must list origins such as https://app.example, each a scheme and a host without a path, separated by commas',
  )
}
