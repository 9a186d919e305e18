import { check } from '../checks.ts'
import { Namespace } from '../cluster.ts'
import { type Platform, selectorOf } from './platform.ts'

/**
 * What notifications of merchants may reach, from a pod of payments with its own settings. The NetworkPolicy, which is
 * the second barrier, has its table in network-policy.ts.
 */

/** Addresses that a merchant could name, each with a port on which something listens. */
type Addresses = Readonly<Record<string, readonly [host: string, port: number]>>

/** Peers of payments, which the NetworkPolicy allows, so that only the client can refuse them. */
const PEERS: readonly string[] = ['auth', 'Redis', 'DNS']

export async function checkEgress(platform: Platform): Promise<void> {
  const mode = platform.namespace.name
  await check(`egress: notifications of ${mode} reach no internal address`, async () => {
    const addresses = await internalAddresses(platform)
    const urls = Object.values(addresses).flatMap(([host, port]) => spellings(host, port))
    const tried = await tryFrom(platform, [...urls, ...INTERNAL_URLS])
    const unexpected = tried.filter(({ error }) => !REFUSALS.includes(error))
    if (unexpected.length > 0) throw new Error(JSON.stringify(unexpected))
  })
  await check(`egress: the client of ${mode} is what refuses the peers of payments`, async () => {
    const addresses = await internalAddresses(platform)
    const peers = PEERS.map((name) => addresses[name]!)
    const program = `
      import { connect } from 'node:net'
      const opens = ([host, port]) => new Promise((resolve) => {
        const socket = connect({ host, port, timeout: 2000 })
        const end = (open) => { socket.destroy(); resolve(open) }
        socket.on('timeout', () => end(false)).on('connect', () => end(true)).on('error', () => end(false))
      })
      console.log(JSON.stringify(await Promise.all(${JSON.stringify(peers)}.map(opens))))`
    const opened = await platform.namespace.node(await platform.pod('payments'), program)
    if (opened.includes('false')) throw new Error(`${PEERS.join(', ')}: ${opened}`)
  })
}

const REFUSALS: readonly string[] = ['forbidden_address', 'invalid_url']

const INTERNAL_URLS: readonly string[] = [
  'https://169.254.169.254/latest/meta-data/',
  'https://0xa9fea9fe/',
  'https://168.63.129.16/',
  'https://100.100.100.200/',
  'https://[fd00:ec2::254]/',
  'https://metadata.google.internal/computeMetadata/v1/',
  'https://localhost:4000/',
  'https://127.0.0.1:4000/',
  'https://[::1]:4000/',
  'https://0:4000/',
  'https://kubernetes/',
  'https://kubernetes.default.svc.cluster.local/',
  'https://auth:3002/',
]

async function internalAddresses({ namespace }: Platform): Promise<Addresses> {
  const pod = async (where: Namespace, selector: string) => {
    const [first] = await where.list('pod', selector)
    const address: unknown = first?.status.podIP
    if (typeof address !== 'string') throw new Error(`no pod has ${selector}`)
    return { address, node: String(first?.status.hostIP) }
  }
  const payments = await pod(namespace, selectorOf('payments'))
  const api = await new Namespace('default').get('service', 'kubernetes')
  const dns = await pod(new Namespace('kube-system'), 'k8s-app=kube-dns')
  return {
    payments: [payments.address, 4000],
    auth: [(await pod(namespace, selectorOf('auth'))).address, 3002],
    Redis: [(await pod(namespace, selectorOf('redis'))).address, 6379],
    DNS: [dns.address, 53],
    'the API server': [String(api.spec.clusterIP), 443],
    'the node': [payments.node, 10_250],
  }
}

/** An address of IPv4 as a merchant might write it. Others only as they are. */
function spellings(address: string, port: number): string[] {
  const bytes = address.split('.').map(Number)
  if (bytes.length !== 4) return [`https://[${address}]:${port}/`]
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  const hosts = [
    address,
    String(number),
    `0x${number.toString(16)}`,
    bytes.map((byte) => `0${byte.toString(8)}`).join('.'),
    `[::ffff:${address}]`,
    `[::${address}]`,
    `[64:ff9b::${address}]`,
  ]
  return hosts.map((host) => `https://${host}:${port}/`)
}

interface Tried {
  readonly url: string
  readonly error: string
}

/** Sends a request to each URL with the client and the settings of the service. */
async function tryFrom(platform: Platform, urls: readonly string[]): Promise<Tried[]> {
  const dist = '/app/services/payments/dist'
  const program = `
    import { readEnv } from '${dist}/env.js'
    import { EgressClient } from '${dist}/egress/egress-client.js'
    import { egressSettings } from '${dist}/egress/egress-env.js'
    const client = new EgressClient(egressSettings(readEnv()))
    const tried = []
    for (const url of ${JSON.stringify(urls)}) {
      const { kind, error = kind } = await client.post({ url, headers: {}, body: '{}' })
      tried.push({ url, error })
    }
    console.log(JSON.stringify(tried))
    process.exit()`
  return JSON.parse(
    await platform.namespace.node(await platform.pod('payments'), program),
  ) as Tried[]
}
