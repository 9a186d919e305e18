import { type Check, splitList } from '@malipo/kit/config/env'
import { isHost, type Network, parseNetwork, withoutBrackets } from '@malipo/kit/config/ip-address'
import { EnvError, makeValidator } from 'envalid'
import { NAT64_LENGTHS } from './address.js'
import type { AllowedHost, EgressSettings } from './policy.js'

/** Environment variables of what deliveries of notifications may reach. */

const networks = makeValidator<readonly Network[]>((input) => splitList(input).map(network))

function network(item: string): Network {
  const parsed = parseNetwork(item)
  if (parsed && parsed.prefix > 0) return parsed
  throw new EnvError(
    'must list networks, such as 10.244.0.0/16 or fd00:10:244::/56, separated by commas, and not every address',
  )
}

const nat64Prefix = makeValidator<Network>((input) => {
  const parsed = parseNetwork(input)
  if (parsed?.family === 'ipv6' && NAT64_LENGTHS.includes(parsed.prefix)) return parsed
  throw new EnvError(
    `must be a network of IPv6 of length ${NAT64_LENGTHS.join(', ')}, such as 2001:db8:64::/96`,
  )
})

const proxyUrl = makeValidator<string>((input) => {
  if (/^https?:\/\/[^\s/?#@]+\/?$/.test(input) && URL.canParse(input)) return input
  throw new EnvError('must be the URL of a proxy, such as http://proxy.internal:3128')
})

const allowedHosts = makeValidator<readonly AllowedHost[]>((input) =>
  splitList(input).map(allowedHost),
)

function allowedHost(item: string): AllowedHost {
  const [, host, port] = /^([^\s:/?#@[\]]+|\[[^\s/?#@[\]]+\])(?::(\d{1,5}))?$/.exec(item) ?? []
  const isValid = host !== undefined && isHost(withoutBrackets(host))
  const url = isValid ? URL.parse(`http://${host}`) : null
  const number = port === undefined ? undefined : Number(port)
  if (url && (number === undefined || (number > 0 && number < 65_536))) {
    return { host: withoutBrackets(url.hostname), port: number }
  }
  throw new EnvError(
    'must list hosts with or without a port, such as receiver:8080 or [::1], separated by commas',
  )
}

export const egressVariables = {
  EGRESS_DENY_CIDRS: networks({
    default: undefined,
    desc: 'Networks that notifications never reach, in addition to those that are not public: the ranges of pods, Services and nodes, of both families, separated by commas; required in `live`',
  }),
  NAT64_PREFIX: nat64Prefix({
    default: undefined,
    desc: 'Prefix of the network’s NAT64, in addition to `64:ff9b::/96`: its addresses are judged as the IPv4 addresses in them',
  }),
  WEBHOOK_PROXY_URL: proxyUrl({
    default: undefined,
    desc: 'HTTP proxy for notifications, which opens tunnels with CONNECT, resolves the names and refuses internal addresses: docs/egress.md',
  }),
  WEBHOOK_ALLOW_HOSTS: allowedHosts({
    default: [],
    desc: 'Hosts, with or without a port, that notifications reach whatever their addresses are, such as `receiver:8080`; only in `sandbox`',
  }),
}

interface Egress {
  readonly MODE: 'live' | 'sandbox'
  readonly EGRESS_DENY_CIDRS: readonly Network[] | undefined
  readonly NAT64_PREFIX: Network | undefined
  readonly WEBHOOK_PROXY_URL: string | undefined
  readonly WEBHOOK_ALLOW_HOSTS: readonly AllowedHost[]
}

export const checkEgress: Check<Egress> = (env) => {
  if (env.MODE !== 'live') return {}
  return {
    ...(env.EGRESS_DENY_CIDRS?.length ? {} : { EGRESS_DENY_CIDRS: REQUIRED }),
    ...(env.WEBHOOK_ALLOW_HOSTS.length > 0 ? { WEBHOOK_ALLOW_HOSTS: 'must be unset in live' } : {}),
  }
}

const REQUIRED =
  'is required when MODE is live: the ranges of pods, Services and nodes, such as 10.244.0.0/16,10.96.0.0/12'

export function egressSettings(env: Egress): EgressSettings {
  return {
    policy: {
      mode: env.MODE,
      denied: env.EGRESS_DENY_CIDRS ?? [],
      nat64: env.NAT64_PREFIX,
      allowHosts: env.WEBHOOK_ALLOW_HOSTS,
    },
    proxyUrl: env.WEBHOOK_PROXY_URL,
  }
}
