import { EnvError, makeValidator } from 'envalid'
import { splitList } from './env.js'
import { isHost, withoutBrackets } from './ip-address.js'
import { parseUrl } from './url-parts.js'

/** The parts of `REDIS_URL`. */
export interface RedisUrl {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: boolean
}

const SCHEMES = ['redis', 'rediss'] as const
const DEFAULT_PORT = 6379
const DEFAULT_SENTINEL_PORT = 26_379

export const redisUrl = makeValidator<RedisUrl>((input) => {
  const url = parseUrl(input, SCHEMES)
  const { host, port = DEFAULT_PORT, username, password, scheme, path = '0' } = url
  if (host === undefined || !isHost(host)) {
    throw new EnvError('must name one host, as a name or an address')
  }
  if (port === 0) throw new EnvError('must have a port from 1 to 65535')
  if (!/^\d{1,5}$/.test(path) || url.parameters.size > 0) {
    throw new EnvError('must have nothing after the host but the number of a database, such as /0')
  }
  return { host, port, username, password, db: Number(path), tls: scheme === 'rediss' }
})

export interface Sentinel {
  readonly host: string
  readonly port: number
  /** Undefined for an address without a scheme. */
  readonly tls: boolean | undefined
}

/** Sentinels as `host`, `host:port` or `[address]:port`, each with or without `redis://` or `rediss://`. */
export const sentinels = makeValidator<Sentinel[]>((input) => splitList(input).map(sentinel))

function sentinel(item: string): Sentinel {
  const [, scheme, address = ''] = /^(?:(rediss?):\/\/)?(.*)$/.exec(item) ?? []
  const tls = scheme === undefined ? undefined : scheme === 'rediss'
  if (isHost(address)) return { host: address, port: DEFAULT_SENTINEL_PORT, tls }
  const [, name = '', digits] = /^(\[.*\]|[^:]*)(?::(\d{1,5}))?$/.exec(address) ?? []
  const [host, port] = [withoutBrackets(name), Number(digits ?? DEFAULT_SENTINEL_PORT)]
  if (isHost(host) && port >= 1 && port <= 65_535) return { host, port, tls }
  throw new EnvError('must list Sentinels as host:port or [address]:port, separated by commas')
}
