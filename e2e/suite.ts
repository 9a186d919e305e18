import { rm } from 'node:fs/promises'
import { check, finish, Needed, needed } from './checks.ts'
import { Namespace } from './cluster.ts'
import { Helm, packCharts } from './helm.ts'
import { checkBrokenImage, checkKept, checkMistakes, checkSetting } from './suite/changes.ts'
import { checkEdge } from './suite/edge.ts'
import { checkExternal } from './suite/external.ts'
import { checkFootprint } from './suite/footprint.ts'
import { clientOf, walkThrough } from './suite/http.ts'
import { bringImages } from './suite/images.ts'
import { checkLive } from './suite/live.ts'
import { checkLogs } from './suite/logs.ts'
import { checkLogout } from './suite/logout.ts'
import { checkMonitoring } from './suite/monitoring.ts'
import { apiServerAddresses, type Ground, Platform, RELEASE } from './suite/platform.ts'
import { checkPolicy, prometheusIn } from './suite/policy.ts'
import { checkPooler } from './suite/pooler.ts'
import { checkRotation } from './suite/rotation.ts'
import { checkTokenCache } from './suite/tokens.ts'

/**
 * `make e2e`: the charts on a real cluster, the one of KUBECONFIG, from an empty namespace to an empty one.
 *
 *     node e2e/suite.ts               everything
 *     node e2e/suite.ts monitoring    this part alone
 *
 * Three releases live beside each other, since most of the time is waiting: the sandbox, by the first Helm
 * that is here; live mode, by the other; and both services with a database and a Redis that were there.
 */

const PREFIX = process.env.E2E_NAMESPACE ?? 'malipo-e2e'
const [SANDBOX, ELSEWHERE, LIVE, EXTERNAL, WATCHED] = [
  '',
  '-elsewhere',
  '-live',
  '-external',
  '-watched',
].map((suffix) => new Namespace(`${PREFIX}${suffix}`)) as [
  Namespace,
  Namespace,
  Namespace,
  Namespace,
  Namespace,
]
const ALL = [SANDBOX, ELSEWHERE, LIVE, EXTERNAL, WATCHED]
/** The whole has this long; then what is left is taken away. */
const LIMIT_MS = 20 * 60_000
const wanted = process.argv.slice(2)

async function sandbox(helm: Helm, ground: Ground, pgBouncer: string): Promise<void> {
  const networkPolicy = { prometheus: prometheusIn(ELSEWHERE.name) }
  const own = { auth: { networkPolicy }, payments: { networkPolicy } }
  const platform = new Platform(SANDBOX.name, helm, ground, own)
  await needed(`${helm.name}: the platform is installed, sandbox`, async () => {
    await Promise.all([SANDBOX.create(), ELSEWHERE.create()])
    await platform.deploy()
  })
  await check(`${helm.name}: helm test`, () => helm.test(SANDBOX, RELEASE))
  await published('ingress', platform.host)
  await needed('gateway: the platform is published by HTTPRoutes', () => byGateway(platform))
  await published('gateway', BY_GATEWAY)
  await needed('ingress: and by an Ingress again', () => platform.deploy())
  await checkTokenCache(platform)
  await checkLogout(platform)
  await checkLogs(SANDBOX)
  // Most of a rotation is waiting.
  await Promise.all([checkRotation(platform), checkPolicy(platform, ELSEWHERE)])
  await lifeOf(platform)
  await checkPooler(platform, pgBouncer)
}

async function published(kind: string, host: string): Promise<void> {
  await check(`${kind}: a payment goes its way`, () => walkThrough(host))
  await checkEdge(kind, clientOf(host))
}

/** A name of its own, so that it is not the Ingress from before which answers. */
const BY_GATEWAY = `gateway.${SANDBOX.name}.malipo.test`
/** The port that the Gateway's controller listens on inside the cluster, as its listeners must name it. */
const GATEWAY = {
  className: process.env.E2E_GATEWAY_CLASS ?? 'traefik',
  port: Number(process.env.E2E_GATEWAY_PORT ?? 8000),
}

async function byGateway(platform: Platform): Promise<void> {
  await SANDBOX.apply({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'edge' },
    spec: {
      gatewayClassName: GATEWAY.className,
      listeners: [{ name: 'web', port: GATEWAY.port, protocol: 'HTTP' }],
    },
  })
  const gateway = { parentRefs: [{ name: 'edge' }] }
  await platform.deploy({ edge: { kind: 'gateway', hosts: [BY_GATEWAY], gateway } })
}

async function live(helm: Helm, ground: Ground): Promise<void> {
  const own = { global: { mode: 'live' }, auth: { replicas: 1 }, payments: { replicas: 1 } }
  const platform = new Platform(LIVE.name, helm, ground, own)
  await needed(`${helm.name}: the platform is installed, live`, async () => {
    await LIVE.create()
    await platform.deploy()
  })
  await checkLive(platform)
  await lifeOf(platform)
}

async function lifeOf(platform: Platform): Promise<void> {
  await checkMistakes(platform)
  await checkSetting(platform)
  await checkBrokenImage(platform)
  await checkKept(platform)
}

/** A part that can't go on is a failure that was counted; anything else is one that was not. */
async function part(name: string, work: () => Promise<void>): Promise<void> {
  if (wanted.length > 0 && !wanted.includes(name)) return
  try {
    await work()
  } catch (error) {
    if (!(error instanceof Needed)) await check(name, () => Promise.reject(error))
  }
}

async function leave(charts: string): Promise<void> {
  await Promise.all(ALL.map((namespace) => namespace.remove()))
  await rm(charts, { recursive: true, force: true })
}

const [first, second = first] = await Helm.all()
if (!first || !second) throw new Error('neither helm nor helm4 is here')
const pgBouncer = await bringImages()
const ground = { charts: await packCharts(), apiServer: await apiServerAddresses() }

/** On Ctrl-C and when it takes too long, too. */
const stop = (why: string) => {
  void check(`the suite is not ended by ${why}`, () => Promise.reject(new Error(why)))
    .then(() => leave(ground.charts))
    .finally(() => {
      finish()
      process.exit(1)
    })
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop(signal))
setTimeout(() => stop(`its limit of ${LIMIT_MS / 60_000} minutes`), LIMIT_MS).unref()

const began = Date.now()
await Promise.all([
  part('sandbox', () => sandbox(first, ground, pgBouncer)),
  part('live', () => live(second, ground)),
  part('external', () => checkExternal(EXTERNAL, second, ground)),
])
// Times and sizes are taken when nothing else goes on, and so is what Prometheus sees.
await part('footprint', () => checkFootprint(new Platform(SANDBOX.name, first, ground)))
await part('monitoring', () => checkMonitoring(WATCHED.name, second, ground))
await check('what was made is taken away', () => leave(ground.charts))
console.log(`in ${Math.round((Date.now() - began) / 1000)} s`)
finish()
process.exit()
