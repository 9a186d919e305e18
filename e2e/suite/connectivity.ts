import { Namespace } from '../cluster.ts'
import { startNodePod } from './node-pod.ts'
import { type Platform, RELEASE, selectorOf } from './platform.ts'

/** Connection attempts from inside pods: the targets, and probes for pods with Node.js or with a shell. */

export type Target =
  | 'auth'
  | 'payments'
  | 'Redis'
  | 'the simulator'
  | "auth's database"
  | "auth's instance"
  | "auth's metrics"
  | "payments' database"
  | "payments' instance"
  | "payments' metrics"
  | 'DNS'
  | 'the API server'
  | 'another namespace'
  | 'the internet'

type Address = readonly [host: string, port: number]
export type Targets = Readonly<Record<Target, Address>>

/** An address outside the cluster that accepts connections. */
const INTERNET = process.env.E2E_OUTSIDE ?? '1.1.1.1:443'
/** Whether payments may reach it: notifications reach public addresses only. */
export const IS_OUTSIDE_PUBLIC =
  !/^(?:10|127|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
    INTERNET,
  )
const LISTENER_PORT = 8080
const LISTENER = 'an unlabelled pod in another namespace'
const CONNECT_TIMEOUT_S = 2
const TEST_POD_LABEL = 'malipo.test/test-pod'
const UNRESTRICTED_LABEL = 'malipo.test/unrestricted'

/** The name of a source's test pod. */
export const podName = (source: string) => source.replaceAll(' ', '-')

/** Starts a test pod; probes run in it by `kubectl exec`. */
export async function startTestPod(
  where: Namespace,
  source: string,
  labels: Readonly<Record<string, string>>,
  isRestricted: boolean,
): Promise<void> {
  await startNodePod(where, {
    name: podName(source),
    labels: {
      [TEST_POD_LABEL]: 'true',
      ...(isRestricted ? {} : { [UNRESTRICTED_LABEL]: 'true' }),
      ...labels,
    },
    program: `require('node:http').createServer((_, response) => response.end()).listen(${LISTENER_PORT})`,
  })
}

/** Allows all egress of unrestricted test pods, despite the namespace's default deny policy. */
export async function allowEgress(where: Namespace): Promise<void> {
  await where.apply({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'unrestricted', labels: { [TEST_POD_LABEL]: 'true' } },
    spec: {
      podSelector: { matchLabels: { [UNRESTRICTED_LABEL]: 'true' } },
      policyTypes: ['Egress'],
      egress: [{}],
    },
  })
}

/** The addresses of all targets: pod addresses, to bypass Services. */
export async function findTargets(platform: Platform, foreign: Namespace): Promise<Targets> {
  const { namespace } = platform
  const at = async (where: Namespace, selector: string, port: number): Promise<Address> => {
    const pods = await where.list('pod', selector)
    // The last pod, since a source is the first pod of its kind and must not be its own target.
    const address: unknown = pods.findLast((pod) => !pod.metadata.deletionTimestamp)?.status.podIP
    if (typeof address !== 'string') throw new Error(`no pod has ${selector}`)
    return [address, port]
  }
  const instance = (service: string, port: number) =>
    at(namespace, `cnpg.io/cluster=${RELEASE}-${service}-db,cnpg.io/podRole=instance`, port)
  const api = await new Namespace('default').get('service', 'kubernetes')
  const listener = await foreign.get('pod', podName(LISTENER))
  const [outside = '', outsidePort] = INTERNET.split(':')
  return {
    auth: await at(namespace, selectorOf('auth'), 3002),
    payments: await at(namespace, selectorOf('payments'), 4000),
    Redis: await at(namespace, selectorOf('redis'), 6379),
    'the simulator': await at(namespace, selectorOf('simulator'), 4100),
    "auth's database": await instance('auth', 5432),
    "auth's instance": await instance('auth', 8000),
    "auth's metrics": await instance('auth', 9187),
    "payments' database": await instance('payments', 5432),
    "payments' instance": await instance('payments', 8000),
    "payments' metrics": await instance('payments', 9187),
    DNS: await at(new Namespace('kube-system'), 'k8s-app=kube-dns', 53),
    'the API server': [String(api.spec.clusterIP), 443],
    'another namespace': [String(listener.status.podIP), LISTENER_PORT],
    'the internet': [outside, Number(outsidePort)],
  }
}

/** The targets that a pod with Node.js reaches. */
export async function reachableFromNode(
  where: Namespace,
  pod: string,
  all: Partial<Targets>,
): Promise<Target[]> {
  const program = `
    import { connect } from 'node:net'
    const opens = ([host, port]) => new Promise((resolve) => {
      const socket = connect({ host, port })
      const end = (open) => { socket.destroy(); resolve(open) }
      socket.setTimeout(${CONNECT_TIMEOUT_S * 1000}, () => end(false))
      socket.on('connect', () => end(true)).on('error', () => end(false))
    })
    const all = ${JSON.stringify(Object.entries(all))}
    const tried = await Promise.all(all.map(async ([name, address]) => [name, await opens(address)]))
    console.log(JSON.stringify(tried.filter(([, open]) => open).map(([name]) => name)))`
  return JSON.parse(await where.node(pod, program)) as Target[]
}

/** The targets that a pod with a shell reaches. */
export async function reachableFromShell(
  where: Namespace,
  pod: string,
  all: Partial<Targets>,
): Promise<Target[]> {
  const tries = Object.entries(all).map(([name, [host, port]]) => {
    const open = `timeout ${CONNECT_TIMEOUT_S} bash -c '</dev/tcp/${host}/${port}' 2>/dev/null`
    return `{ ${open} && echo "${name}"; } &`
  })
  const text = await where.exec(pod, ['bash', '-c', `${tries.join('\n')}\nwait\ntrue`])
  return text.split('\n').filter(Boolean) as Target[]
}
