import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '@malipo/local/find-program'
import { parseNetwork } from '@malipo/kit/config/ip-address'
import { beforeAll, describe, expect, it } from 'vitest'
import { endpointUrlProblem } from '../src/egress/endpoint-url.js'
import type { TryResult } from '../src/egress/try-result.js'
import { FORBIDDEN_TARGETS, NAMES, UNREACHABLE } from './egress/forbidden-targets.js'

/**
 * Targets that no notification may reach, tried by the client of the service. As root, in a network namespace in which
 * every address of IPv4 and IPv6 is local: a request that is not refused reaches the listener.
 */
const canIsolate = process.getuid?.() === 0 && findProgram('unshare') && findProgram('ip')

const EVERY_ADDRESS_IS_LOCAL = `
ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
exec "$@"`

interface Tried {
  readonly result: TryResult
  readonly connections: number
}

interface Output {
  readonly tried: readonly (Tried & { readonly url: string; readonly isReachable: boolean })[]
  readonly resolved: Readonly<Record<string, Tried>>
  readonly rebinding: readonly Tried[]
  readonly literals: readonly Tried[]
  readonly socket: { readonly result: TryResult; readonly requests: number }
}

const DENIED = ['44.0.0.0/8', '2600:1f00:abcd::/48']
const NAT64 = '2600:64::/96'
const urls = Object.values(FORBIDDEN_TARGETS).flat()
const REFUSED = {
  kind: 'failed',
  error: expect.stringMatching(/^(forbidden_address|invalid_url)$/),
}

let output: Output
beforeAll(async () => {
  const script = join(import.meta.dirname, 'egress/try-targets.ts')
  const command = [process.execPath, script]
  const isolated = ['--net', '--', 'sh', '-euc', EVERY_ADDRESS_IS_LOCAL, 'sh', ...command]
  const [file = '', ...args] = canIsolate ? ['unshare', ...isolated] : command
  const running = promisify(execFile)(file, args, { maxBuffer: 10_000_000 })
  running.child.stdin?.end(JSON.stringify({ urls, names: NAMES, denied: DENIED, nat64: NAT64 }))
  output = JSON.parse((await running).stdout) as Output
}, 180_000)

const find = (url: string) => {
  const found = output.tried.find((each) => each.url === url)
  if (!found) throw new Error(`${url} was not tried`)
  return found
}

describe.each(Object.entries(FORBIDDEN_TARGETS))('%s', (_kind, targets) => {
  it.each(targets)('%j is refused before a connection', (url) => {
    expect(find(url)).toMatchObject({ connections: 0, result: REFUSED })
  })

  it.each(targets)('%j is refused at registration, also with https in live', (url) => {
    const network = (text: string) => parseNetwork(text)!
    const policy = { denied: DENIED.map(network), nat64: network(NAT64), allowHosts: [] }
    const given = url.replaceAll('PORT', '8443')
    expect(endpointUrlProblem(given, { ...policy, mode: 'sandbox' })).toMatch(/^must /)
    const secure = given.replace('http:', 'https:')
    expect(endpointUrlProblem(secure, { ...policy, mode: 'live' })).toMatch(/^must /)
  })
})

it('there are at least 60 forbidden spellings', () => {
  expect(new Set(urls).size).toBeGreaterThanOrEqual(60)
})

describe.skipIf(!canIsolate)('in a network in which every address is local', () => {
  it('a client without a guard reaches the forbidden targets', () => {
    const literal = /^ ?http:[/\\]*(?:[^/]*@)?[\d[０-９①-⑳⓪𝟎-𝟗%x.]/u
    const expected = urls.filter((url) => literal.test(url) && !UNREACHABLE.test(url))
    const missed = expected.filter((url) => !find(url).isReachable)
    expect(missed).toEqual([])
    expect(expected.length).toBeGreaterThan(100)
  })

  it('public addresses are reached', () => {
    for (const each of output.literals) {
      expect(each).toMatchObject({ connections: 1, result: { kind: 'answered', status: 200 } })
    }
  })

  it.each(Object.entries(NAMES))('the host %s with the addresses %j', (name, { isPublic }) => {
    const { result, connections } = output.resolved[name]!
    const reached = [{ kind: 'answered', answer: 'reached' }, 1]
    const refused = [{ kind: 'failed', error: 'forbidden_address' }, 0]
    expect([result, connections]).toMatchObject(isPublic ? reached : refused)
  })

  it('the address of the connected socket is judged', () => {
    expect(output.socket).toMatchObject({ result: { error: 'forbidden_address' }, requests: 0 })
  })

  it('a name that resolves to a public address and then to an internal one is refused from then on', () => {
    const [first, second, third] = output.rebinding
    expect(first).toMatchObject({ result: { kind: 'answered' }, connections: 1 })
    for (const each of [second, third]) {
      expect(each).toMatchObject({ result: { error: 'forbidden_address' }, connections: 0 })
    }
  })
})
