import { ConfigurationError, readEnv } from '@malipo/kit/config/env'
import { str } from 'envalid'
import { describe, expect, it } from 'vitest'
import { checkEgress, egressSettings, egressVariables } from './egress-env.js'

const specs = { MODE: str({ choices: ['live', 'sandbox'] as const }), ...egressVariables }
const read = (given: Record<string, string>) =>
  egressSettings(readEnv({ MODE: 'sandbox', ...given }, specs, checkEgress))

function errors(given: Record<string, string>): readonly string[] {
  try {
    read(given)
    return []
  } catch (error) {
    return error instanceof ConfigurationError ? error.lines : [String(error)]
  }
}

const LIVE = { MODE: 'live', EGRESS_DENY_CIDRS: '10.244.0.0/16, fd00:10:244::/56' }

it('the policy has networks of both families, a NAT64 prefix and a proxy', () => {
  const given = {
    ...LIVE,
    NAT64_PREFIX: '2001:DB8:64::/96',
    WEBHOOK_PROXY_URL: 'http://proxy.internal:3128',
  }
  expect(read(given)).toEqual({
    policy: {
      mode: 'live',
      denied: [
        { address: '10.244.0.0', prefix: 16, family: 'ipv4' },
        { address: 'fd00:10:244::', prefix: 56, family: 'ipv6' },
      ],
      nat64: { address: '2001:db8:64::', prefix: 96, family: 'ipv6' },
      allowHosts: [],
    },
    proxyUrl: 'http://proxy.internal:3128',
  })
})

describe('EGRESS_DENY_CIDRS', () => {
  it.each(['', ' ', ','])('is required in live, as %j', (value) => {
    const [line, ...others] = errors({ MODE: 'live', EGRESS_DENY_CIDRS: value })
    expect(line).toMatch(/^EGRESS_DENY_CIDRS is required when MODE is live: the ranges of pods/)
    expect(others).toEqual([])
  })

  it('is optional in the sandbox', () => {
    expect(read({}).policy).toMatchObject({ mode: 'sandbox', denied: [], nat64: undefined })
  })

  it.each(['10.0.0.0/33', 'pods', '10.0.0.0/8;fd00::/8', '0.0.0.0/0', '::/0'])(
    'is not %s',
    (value) => {
      expect(errors({ EGRESS_DENY_CIDRS: value })).toEqual([
        expect.stringMatching(/^EGRESS_DENY_CIDRS must list networks/),
      ])
    },
  )
})

describe('NAT64_PREFIX', () => {
  it.each(['2001:db8:64::', '2001:db8::/80', '10.0.0.0/96', '64:ff9b::/0'])(
    'is not %s',
    (value) => {
      expect(errors({ NAT64_PREFIX: value })).toEqual([
        expect.stringMatching(/^NAT64_PREFIX must be a network of IPv6 of length 32, 40, 48/),
      ])
    },
  )
})

describe('WEBHOOK_PROXY_URL', () => {
  it.each(['proxy:3128', 'socks5://proxy:1080', 'http://user:secret@proxy', 'http://proxy/path'])(
    'is not %s, which is not logged',
    (value) => {
      expect(errors({ WEBHOOK_PROXY_URL: value })).toEqual([
        'WEBHOOK_PROXY_URL must be the URL of a proxy, such as http://proxy.internal:3128',
      ])
    },
  )
})

describe('WEBHOOK_ALLOW_HOSTS', () => {
  it('has hosts with and without a port', () => {
    const given = { WEBHOOK_ALLOW_HOSTS: 'Receiver:8080, host.docker.internal,[0::1]:80,0x7f.1' }
    expect(read(given).policy.allowHosts).toEqual([
      { host: 'receiver', port: 8080 },
      { host: 'host.docker.internal', port: undefined },
      { host: '::1', port: 80 },
      { host: '127.0.0.1', port: undefined },
    ])
  })

  it('is refused in live', () => {
    expect(errors({ ...LIVE, WEBHOOK_ALLOW_HOSTS: 'receiver' })).toEqual([
      'WEBHOOK_ALLOW_HOSTS must be unset in live',
    ])
  })

  it.each(['http://receiver', 'receiver:0', 'receiver:65536', 'receiver:a', '::1', 'a b', '*'])(
    'is not %s',
    (value) => {
      expect(errors({ WEBHOOK_ALLOW_HOSTS: value })).toEqual([
        expect.stringMatching(/^WEBHOOK_ALLOW_HOSTS must list hosts/),
      ])
    },
  )
})
