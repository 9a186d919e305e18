import { setTimeout as sleep } from 'node:timers/promises'
import { check, needed } from '../checks.ts'
import { Namespace } from '../cluster.ts'
import { type Platform, RELEASE, selectorOf } from './platform.ts'
import {
  findTargets,
  letOut,
  podName,
  reachedByNode,
  reachedByShell,
  standIn,
  type Target,
  type Targets,
} from './probe.ts'

/**
 * Who reaches whom. Every source tries every target from inside its own pod, and what it reaches must be its
 * row of this table, no more and no less. A pod that stands in for a stranger may call anybody, so that it is
 * the called one's policy that is tried.
 */
const NOTHING: readonly Target[] = []
/** What a pod may reach that no policy holds back. */
const WORLD: readonly Target[] = ['DNS', 'the API server', 'another namespace', 'the internet']

const MAY: Readonly<Record<string, readonly Target[]>> = {
  auth: ["auth's database", 'Redis', 'DNS'],
  payments: ["payments' database", 'Redis', 'auth', 'DNS'],
  Redis: NOTHING,
  "auth's database": ['DNS', 'the API server'],
  "payments' database": ['DNS', 'the API server'],
  // The rest are pods that stand in for others.
  'a second instance of auth': ["auth's database", "auth's instance", 'DNS', 'the API server'],
  'a second instance of payments': [
    "payments' database",
    "payments' instance",
    'DNS',
    'the API server',
  ],
  'helm test': ['auth', 'payments', 'DNS'],
  prometheus: ['auth', 'payments', "auth's metrics", "payments' metrics", ...WORLD],
  'a stranger': WORLD,
  'redis of another release': WORLD,
  // Services may be installed each by itself: payments of any release here may ask auth.
  'payments of another release': ['auth', ...WORLD],
  'a stranger in another namespace': WORLD,
  'auth in another namespace': WORLD,
  'payments in another namespace': WORLD,
  'an instance of auth in another namespace': WORLD,
}

const malipo = (name: string, instance = RELEASE) => ({
  'app.kubernetes.io/name': name,
  'app.kubernetes.io/instance': instance,
  'app.kubernetes.io/part-of': 'malipo',
})
const instanceOf = (service: string) => ({ 'cnpg.io/cluster': `${RELEASE}-${service}-db` })

type Labels = Readonly<Record<string, string>>

/** What the stand-ins wear. Those of the release are held by its policies, strangers by none. */
const OF_THE_RELEASE: Readonly<Record<string, Labels>> = {
  'a second instance of auth': instanceOf('auth'),
  'a second instance of payments': instanceOf('payments'),
  'helm test': { ...malipo('test'), 'app.kubernetes.io/component': 'test' },
}
const STRANGERS: Readonly<Record<string, Labels>> = {
  'a stranger': {},
  'redis of another release': malipo('redis', 'another'),
  'payments of another release': malipo('payments', 'another'),
}
const ELSEWHERE: Readonly<Record<string, Labels>> = {
  prometheus: { 'app.kubernetes.io/name': 'prometheus' },
  'a stranger in another namespace': {},
  'auth in another namespace': malipo('auth'),
  'payments in another namespace': malipo('payments'),
  'an instance of auth in another namespace': instanceOf('auth'),
}

/** Who may read metrics, as a value of the charts. */
export function prometheusIn(namespace: string) {
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } }
  return [{ namespaceSelector, podSelector: { matchLabels: ELSEWHERE.prometheus } }]
}

/** A policy takes a moment to learn of a new pod. */
const SETTLES_WITHIN_MS = 20_000
const AT_ONCE = 4

export async function checkPolicy(platform: Platform, elsewhere: Namespace): Promise<void> {
  const { namespace } = platform
  let targets: Targets | undefined
  await needed('policy: pods that stand in for others are there', async () => {
    await letOut(namespace)
    const make = (where: Namespace, masks: Readonly<Record<string, Labels>>, isHeld: boolean) =>
      Object.entries(masks).map(([source, labels]) => standIn(where, source, labels, isHeld))
    await Promise.all([
      ...make(namespace, OF_THE_RELEASE, true),
      ...make(namespace, STRANGERS, false),
      ...make(elsewhere, ELSEWHERE, false),
    ])
    targets = await findTargets(platform, elsewhere)
  })
  if (targets === undefined) return
  const all = targets
  const left = Object.entries(MAY).values()
  const worker = async () => {
    for (const [source, may] of left) {
      const look = await looking(source, platform, elsewhere, all)
      const words = may.length > 0 ? `${may.join(', ')}, and nothing else` : 'nothing'
      await check(`policy: ${source} → ${words}`, () => settles(look, may))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  await namespace.kubectl(['delete', 'pod,networkpolicy', '--selector=malipo.test/stands-in'])
}

/** How to find out what a source reaches. */
async function looking(source: string, platform: Platform, elsewhere: Namespace, all: Targets) {
  const { namespace } = platform
  if (source === 'auth' || source === 'payments') {
    const pod = await platform.pod(source)
    return () => reachedByNode(namespace, pod, all)
  }
  const shells: Readonly<Record<string, string>> = {
    Redis: selectorOf('redis'),
    "auth's database": `cnpg.io/cluster=${RELEASE}-auth-db,cnpg.io/podRole=instance`,
    "payments' database": `cnpg.io/cluster=${RELEASE}-payments-db,cnpg.io/podRole=instance`,
  }
  const selector = shells[source]
  if (selector !== undefined) {
    const [pod] = await namespace.list('pod', selector)
    if (!pod) throw new Error(`${source} has no pod`)
    const { name } = pod.metadata
    const own: unknown = pod.status.podIP
    const others = Object.entries(all).filter(([, [host]]) => host !== own)
    return () => reachedByShell(namespace, name, Object.fromEntries(others) as Targets)
  }
  const where = source in ELSEWHERE ? elsewhere : namespace
  return () => reachedByNode(where, podName(source), all)
}

async function settles(look: () => Promise<Target[]>, may: readonly Target[]): Promise<void> {
  for (const deadline = Date.now() + SETTLES_WITHIN_MS; ; await sleep(1_000)) {
    const reached = await look()
    const open = reached.filter((target) => !may.includes(target))
    const closed = may.filter((target) => !reached.includes(target))
    if (open.length === 0 && closed.length === 0) return
    if (Date.now() > deadline) {
      throw new Error(`open: ${open.join(', ') || 'none'}; closed: ${closed.join(', ') || 'none'}`)
    }
  }
}
