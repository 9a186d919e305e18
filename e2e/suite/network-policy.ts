import { setTimeout as sleep } from 'node:timers/promises'
import { check, mustPass } from '../checks.ts'
import { Namespace } from '../cluster.ts'
import { type Platform, RELEASE, selectorOf } from './platform.ts'
import {
  findTargets,
  allowEgress,
  IS_OUTSIDE_PUBLIC,
  podName,
  reachableFromNode,
  reachableFromShell,
  startTestPod,
  type Target,
  type Targets,
} from './connectivity.ts'

/**
 * Network reachability. Every source pod tries every target, and must reach exactly the targets in this table. Test
 * pods that are not part of the release have unrestricted egress, so that only the ingress policy of the target can
 * block them.
 */
const NONE: readonly Target[] = []
/** Targets that any pod without an egress policy reaches. */
const UNRESTRICTED: readonly Target[] = [
  'DNS',
  'the API server',
  'another namespace',
  'the internet',
]

const ALLOWED: Readonly<Record<string, readonly Target[]>> = {
  auth: ["auth's database", 'Redis', 'DNS'],
  payments: [
    "payments' database",
    'Redis',
    'auth',
    'the simulator',
    'DNS',
    ...(IS_OUTSIDE_PUBLIC ? (['the internet'] as const) : NONE),
  ],
  'the simulator': ['payments', 'DNS'],
  Redis: NONE,
  "auth's database": ['DNS', 'the API server'],
  "payments' database": ['DNS', 'the API server'],
  // The following sources are test pods.
  'a second instance of auth': ["auth's database", "auth's instance", 'DNS', 'the API server'],
  'a second instance of payments': [
    "payments' database",
    "payments' instance",
    'DNS',
    'the API server',
  ],
  'helm test': ['auth', 'payments', 'DNS'],
  prometheus: ['auth', 'payments', "auth's metrics", "payments' metrics", ...UNRESTRICTED],
  'an unlabelled pod': UNRESTRICTED,
  'redis of another release': UNRESTRICTED,
  // Charts may be installed as separate releases: payments of any release in the namespace may call auth and the
  // simulator.
  'payments of another release': ['auth', 'the simulator', ...UNRESTRICTED],
  'an unlabelled pod in another namespace': UNRESTRICTED,
  'auth in another namespace': UNRESTRICTED,
  'payments in another namespace': UNRESTRICTED,
  'an instance of auth in another namespace': UNRESTRICTED,
}

const malipo = (name: string, instance = RELEASE) => ({
  'app.kubernetes.io/name': name,
  'app.kubernetes.io/instance': instance,
  'app.kubernetes.io/part-of': 'malipo',
})
const instanceOf = (service: string) => ({ 'cnpg.io/cluster': `${RELEASE}-${service}-db` })

type Labels = Readonly<Record<string, string>>

/** Labels of the test pods. Policies of the release select the first group, but not the others. */
const RELEASE_PODS: Readonly<Record<string, Labels>> = {
  'a second instance of auth': instanceOf('auth'),
  'a second instance of payments': instanceOf('payments'),
  'helm test': { ...malipo('test'), 'app.kubernetes.io/component': 'test' },
}
const OTHER_PODS: Readonly<Record<string, Labels>> = {
  'an unlabelled pod': {},
  'redis of another release': malipo('redis', 'another'),
  'payments of another release': malipo('payments', 'another'),
}
const FOREIGN_PODS: Readonly<Record<string, Labels>> = {
  prometheus: { 'app.kubernetes.io/name': 'prometheus' },
  'an unlabelled pod in another namespace': {},
  'auth in another namespace': malipo('auth'),
  'payments in another namespace': malipo('payments'),
  'an instance of auth in another namespace': instanceOf('auth'),
}

/** The value `networkPolicy.prometheus` for the test pod of Prometheus. */
export function prometheusIn(namespace: string) {
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } }
  return [{ namespaceSelector, podSelector: { matchLabels: FOREIGN_PODS.prometheus } }]
}

/** NetworkPolicies apply to a new pod after a moment. */
const POLICY_APPLIES_WITHIN_MS = 20_000
const CONCURRENCY = 4

export async function checkPolicy(platform: Platform, foreign: Namespace): Promise<void> {
  const { namespace } = platform
  let targets: Targets | undefined
  await mustPass('policy: starts the test pods', async () => {
    await allowEgress(namespace)
    const start = (
      where: Namespace,
      pods: Readonly<Record<string, Labels>>,
      isRestricted: boolean,
    ) =>
      Object.entries(pods).map(([source, labels]) =>
        startTestPod(where, source, labels, isRestricted),
      )
    await Promise.all([
      ...start(namespace, RELEASE_PODS, true),
      ...start(namespace, OTHER_PODS, false),
      ...start(foreign, FOREIGN_PODS, false),
    ])
    targets = await findTargets(platform, foreign)
  })
  if (targets === undefined) return
  const all = targets
  const queue = Object.entries(ALLOWED).values()
  const worker = async () => {
    for (const [source, allowed] of queue) {
      const probe = await proberOf(source, platform, foreign, all)
      const names = allowed.length > 0 ? allowed.join(', ') : 'nothing'
      await check(`policy: ${source} reaches only ${names}`, () => assertReaches(probe, allowed))
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  await namespace.kubectl(['delete', 'pod,networkpolicy', '--selector=malipo.test/test-pod'])
}

/** A function that returns the targets that a source reaches. */
async function proberOf(source: string, platform: Platform, foreign: Namespace, all: Targets) {
  const { namespace } = platform
  if (source === 'auth' || source === 'payments') {
    const pod = await platform.pod(source)
    return () => reachableFromNode(namespace, pod, all)
  }
  if (source === 'the simulator') {
    const pod = await platform.pod('simulator')
    // It has one pod, which always reaches itself.
    const { [source]: _, ...others } = all
    return () => reachableFromNode(namespace, pod, others)
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
    const ownAddress: unknown = pod.status.podIP
    const others = Object.entries(all).filter(([, [host]]) => host !== ownAddress)
    return () => reachableFromShell(namespace, name, Object.fromEntries(others) as Targets)
  }
  const where = source in FOREIGN_PODS ? foreign : namespace
  return () => reachableFromNode(where, podName(source), all)
}

async function assertReaches(
  probe: () => Promise<Target[]>,
  allowed: readonly Target[],
): Promise<void> {
  for (const deadline = Date.now() + POLICY_APPLIES_WITHIN_MS; ; await sleep(1_000)) {
    const reached = await probe()
    const unexpected = reached.filter((target) => !allowed.includes(target))
    const missing = allowed.filter((target) => !reached.includes(target))
    if (unexpected.length === 0 && missing.length === 0) return
    if (Date.now() > deadline) {
      const list = (targets: readonly Target[]) => targets.join(', ') || 'none'
      throw new Error(`reached but denied: ${list(unexpected)}; not reached: ${list(missing)}`)
    }
  }
}
