/**
 * Sends a request to each URL of its input (JSON), with the client of the service and with one that has no guard, and
 * prints what happened as JSON. A process, so that it can run in a network namespace. It uses the build.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { parseNetwork } from '@malipo/kit/config/ip-address'
import { startDnsServer } from '@malipo/testing/dns-server'
import { Agent, request } from 'undici'

const built = (file: string) =>
  import(new URL(`../../dist/egress/${file}.js`, import.meta.url).href)
const { EgressClient } = (await built(
  'egress-client',
)) as typeof import('../../src/egress/egress-client.js')
const { resolveByDns } = (await built('resolver')) as typeof import('../../src/egress/resolver.js')

interface Input {
  readonly urls: readonly string[]
  readonly names: Readonly<Record<string, { readonly A: string[]; readonly AAAA: string[] }>>
  readonly denied: readonly string[]
  readonly nat64: string
}

const { urls, names, denied, nat64 } = JSON.parse(await text(process.stdin)) as Input
let hits = 0
let requests = 0
const server = createServer((_, response) => {
  requests++
  response.end('reached')
})
server.on('connection', () => hits++)
await new Promise<void>((resolve) => server.listen({ port: 0, host: '::' }, resolve))
const { port } = server.address() as AddressInfo

let rebound = 0
const dns = await startDnsServer((name, type) => {
  // The first resolution is public, every later one is not.
  if (name === 'rebinding.example')
    return type === 'AAAA' ? [] : [++rebound > 1 ? '127.0.0.1' : '8.8.8.8']
  return names[name]?.[type]
})
const networks = denied.flatMap((each) => parseNetwork(each) ?? [])
const client = new EgressClient(
  {
    policy: { mode: 'sandbox', denied: networks, nat64: parseNetwork(nat64), allowHosts: [] },
    proxyUrl: undefined,
  },
  { resolve: resolveByDns([dns.address]) },
)

async function tryWithGuard(url: string) {
  const before = hits
  const result = await client.post({ url: withPort(url), headers: {}, body: '{}' })
  return { result, connections: hits - before }
}

/** Whether a client without a guard reaches the listener. It has no DNS: only literals, and names of the system. */
async function isReachable(url: string): Promise<boolean> {
  const agent = new Agent({ connect: { timeout: 2_000 } })
  try {
    const { body } = await request(withPort(url), { dispatcher: agent })
    return (await body.text()) === 'reached'
  } catch {
    return false
  } finally {
    await agent.destroy()
  }
}

/** The policy changes while the connection is opened, so that only the address of the socket is refused. */
async function trySocket() {
  const changing = [...networks]
  const resolve = async () => {
    setImmediate(() => changing.push(...[parseNetwork('8.8.8.8')].flatMap((each) => each ?? [])))
    return Promise.resolve(['8.8.8.8'])
  }
  const policy = { mode: 'sandbox', denied: changing, nat64: undefined, allowHosts: [] } as const
  const other = new EgressClient({ policy, proxyUrl: undefined }, { resolve })
  const before = requests
  const result = await other.post({
    url: withPort('http://a.example:PORT/'),
    headers: {},
    body: '',
  })
  return { result, requests: requests - before }
}

const withPort = (url: string) => url.replaceAll('PORT', String(port))

const tried = []
for (const url of urls) {
  tried.push({ url, isReachable: await isReachable(url), ...(await tryWithGuard(url)) })
}
const resolved: Record<string, unknown> = {}
for (const name of Object.keys(names)) resolved[name] = await tryWithGuard(`http://${name}:PORT/`)
const rebinding = []
for (let nth = 0; nth < 3; nth++) {
  // Otherwise the open connection to the public address would be used again.
  server.closeAllConnections()
  await new Promise((resolve) => setTimeout(resolve, 50))
  rebinding.push(await tryWithGuard('http://rebinding.example:PORT/'))
}
const literals = []
for (const host of ['8.8.8.8', '[2606:4700::1111]', '[64:ff9b::808:808]']) {
  literals.push(await tryWithGuard(`http://${host}:PORT/`))
}
console.log(JSON.stringify({ tried, resolved, rebinding, literals, socket: await trySocket() }))
process.exit()
