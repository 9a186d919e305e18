import { Namespace } from '../cluster.ts'
import { startNodePod } from './node-pod.ts'
import { type Platform, RELEASE, selectorOf } from './platform.ts'

/** Tries of connections from inside pods: whom there is to reach, and how to try it from each kind of pod. */

export type Target =
  | 'auth'
  | 'payments'
  | 'Redis'
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

/** An address that is nowhere in the cluster, and answers. */
const INTERNET = process.env.E2E_OUTSIDE ?? '1.1.1.1:443'
const LISTENER_PORT = 8080
const LISTENER = 'a stranger in another namespace'
const CONNECT_TIMEOUT_S = 2
const STANDS_IN = 'malipo.test/stands-in'
const IS_LET_OUT = 'malipo.test/let-out'

/** A name of a pod for what it stands for. */
export const podName = (source: string) => source.replaceAll(' ', '-')

/** A pod that waits to be told what to try. */
export async function standIn(
  where: Namespace,
  source: string,
  labels: Readonly<Record<string, string>>,
  isHeld: boolean,
): Promise<void> {
  await startNodePod(where, {
    name: podName(source),
    labels: { [STANDS_IN]: 'true', ...(isHeld ? {} : { [IS_LET_OUT]: 'true' }), ...labels },
    program: `require('node:http').createServer((_, answer) => answer.end()).listen(${LISTENER_PORT})`,
  })
}

/** Lets strangers call anybody, over the namespace's deny by default. */
export async function letOut(where: Namespace): Promise<void> {
  await where.apply({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'strangers', labels: { [STANDS_IN]: 'true' } },
    spec: {
      podSelector: { matchLabels: { [IS_LET_OUT]: 'true' } },
      policyTypes: ['Egress'],
      egress: [{}],
    },
  })
}

/** Where every target is: pods by their own addresses, so that no Service stands between. */
export async function findTargets(platform: Platform, elsewhere: Namespace): Promise<Targets> {
  const { namespace } = platform
  const at = async (where: Namespace, selector: string, port: number): Promise<Address> => {
    const pods = await where.list('pod', selector)
    // A source is the first pod of its kind: nobody is asked to reach itself.
    const address: unknown = pods.findLast((pod) => !pod.metadata.deletionTimestamp)?.status.podIP
    if (typeof address !== 'string') throw new Error(`no pod has ${selector}`)
    return [address, port]
  }
  const instance = (service: string, port: number) =>
    at(namespace, `cnpg.io/cluster=${RELEASE}-${service}-db,cnpg.io/podRole=instance`, port)
  const api = await new Namespace('default').get('service', 'kubernetes')
  const listener = await elsewhere.get('pod', podName(LISTENER))
  const [outside = '', outsidePort] = INTERNET.split(':')
  return {
    auth: await at(namespace, selectorOf('auth'), 3002),
    payments: await at(namespace, selectorOf('payments'), 4000),
    Redis: await at(namespace, selectorOf('redis'), 6379),
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

/** What a pod with Node reaches. */
export async function reachedByNode(
  where: Namespace,
  pod: string,
  all: Targets,
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

/** What a pod with a shell reaches. */
export async function reachedByShell(
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
