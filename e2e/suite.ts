import { rm } from 'node:fs/promises'
import { check, finish, MustPassError, mustPass } from './checks.ts'
import { Namespace } from './cluster.ts'
import { Helm, packCharts } from './helm.ts'
import {
  checkBrokenImage,
  checkReinstall,
  checkInvalidValues,
  checkChangedSetting,
} from './suite/lifecycle.ts'
import { ARBITRARY_USER, checkArbitraryUser } from './suite/arbitrary-user.ts'
import { checkEdge } from './suite/edge.ts'
import { checkEgress } from './suite/egress.ts'
import { checkExternal } from './suite/external.ts'
import { checkPodResources } from './suite/pod-resources.ts'
import { clientOf, walkThrough } from './suite/http.ts'
import { loadImages } from './suite/images.ts'
import { checkLive } from './suite/live-mode.ts'
import { checkLogs } from './suite/logs.ts'
import { checkLogout } from './suite/logout.ts'
import { checkMonitoring } from './suite/monitoring.ts'
import { apiServerAddresses, type Environment, Platform, RELEASE } from './suite/platform.ts'
import { checkPolicy, prometheusIn } from './suite/network-policy.ts'
import { checkPooler } from './suite/pooler.ts'
import { checkRotation } from './suite/password-rotation.ts'
import { checkTokenCache } from './suite/token-cache.ts'

/**
 * `make e2e`: tests the charts on the cluster of KUBECONFIG, in namespaces that it creates and deletes.
 *
 *     node e2e/suite.ts               all parts
 *     node e2e/suite.ts monitoring    only this part
 *
 * Three parts run concurrently, since most of the time is waiting: sandbox mode with one version of Helm, live mode
 * with the other, under the values for OpenShift and a user that no image has, and both services with an external database and Redis.
 */

const PREFIX = process.env.E2E_NAMESPACE ?? 'malipo-e2e'
const SANDBOX = new Namespace(PREFIX)
/** Clients in another namespace, for the tests of NetworkPolicies. */
const FOREIGN = new Namespace(`${PREFIX}-foreign`)
const LIVE = new Namespace(`${PREFIX}-live`)
const EXTERNAL = new Namespace(`${PREFIX}-external`)
const MONITORED = new Namespace(`${PREFIX}-monitored`)
const ALL = [SANDBOX, FOREIGN, LIVE, EXTERNAL, MONITORED]
/** Time limit of all parts; then everything is deleted. */
const LIMIT_MS = 20 * 60_000
const wanted = process.argv.slice(2)

async function sandbox(helm: Helm, environment: Environment, pgBouncer: string): Promise<void> {
  const networkPolicy = { prometheus: prometheusIn(FOREIGN.name) }
  const values = { auth: { networkPolicy }, payments: { networkPolicy } }
  const platform = new Platform(SANDBOX.name, helm, environment, values)
  await mustPass(`${helm.name}: installs the platform in sandbox mode`, async () => {
    await Promise.all([SANDBOX.create(), FOREIGN.create()])
    await platform.deploy()
  })
  await check(`${helm.name}: helm test`, () => helm.test(SANDBOX, RELEASE))
  await checkRoutes('ingress', platform.host)
  await mustPass('gateway: exposes the platform by HTTPRoutes', () => deployWithGateway(platform))
  await checkRoutes('gateway', GATEWAY_HOST)
  await mustPass('ingress: exposes the platform by an Ingress again', () => platform.deploy())
  await checkTokenCache(platform)
  await checkLogout(platform)
  await checkLogs(SANDBOX)
  await checkEgress(platform)
  // Concurrently, since most of a rotation is waiting.
  await Promise.all([checkRotation(platform), checkPolicy(platform, FOREIGN)])
  await checkLifecycle(platform)
  await checkPooler(platform, pgBouncer)
}

async function checkRoutes(kind: string, host: string): Promise<void> {
  await check(`${kind}: the walk-through succeeds`, () => walkThrough(host))
  await checkEdge(kind, clientOf(host))
}

/** A separate host, so that the previous Ingress can't answer. */
const GATEWAY_HOST = `gateway.${SANDBOX.name}.malipo.test`
/** The port of the Gateway controller inside the cluster, which a listener must use. */
const GATEWAY = {
  className: process.env.E2E_GATEWAY_CLASS ?? 'traefik',
  port: Number(process.env.E2E_GATEWAY_PORT ?? 8000),
}

async function deployWithGateway(platform: Platform): Promise<void> {
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
  await platform.deploy({ edge: { kind: 'gateway', hosts: [GATEWAY_HOST], gateway } })
}

async function live(helm: Helm, environment: Environment): Promise<void> {
  const values = {
    global: { mode: 'live' },
    simulator: { enabled: false },
    auth: { replicas: 1, ...ARBITRARY_USER.auth },
    payments: { replicas: 1, ...ARBITRARY_USER.payments },
    redis: ARBITRARY_USER.redis,
  }
  const platform = new Platform(LIVE.name, helm, environment, values, ['values-openshift.yaml'])
  await mustPass(`${helm.name}: installs the platform in live mode`, async () => {
    await LIVE.create()
    await platform.deploy()
  })
  await checkArbitraryUser(platform)
  await checkLive(platform)
  await checkEgress(platform)
  await checkLifecycle(platform)
}

async function checkLifecycle(platform: Platform): Promise<void> {
  await checkInvalidValues(platform)
  await checkChangedSetting(platform)
  await checkBrokenImage(platform)
  await checkReinstall(platform)
}

/** Runs a part. A MustPassError is already counted as a failure; any other error is counted here. */
async function part(name: string, work: () => Promise<void>): Promise<void> {
  if (wanted.length > 0 && !wanted.includes(name)) return
  try {
    await work()
  } catch (error) {
    if (!(error instanceof MustPassError)) await check(name, () => Promise.reject(error))
  }
}

async function cleanUp(charts: string): Promise<void> {
  await Promise.all(ALL.map((namespace) => namespace.remove()))
  await rm(charts, { recursive: true, force: true })
}

const [first, second = first] = await Helm.all()
if (!first || !second) throw new Error('neither helm nor helm4 is on the PATH')
const pgBouncer = await loadImages()
const environment = { charts: await packCharts(), apiServer: await apiServerAddresses() }

/** Cleans up and exits after a signal or the time limit. */
const stop = (why: string) => {
  void check(`the suite is not interrupted by ${why}`, () => Promise.reject(new Error(why)))
    .then(() => cleanUp(environment.charts))
    .finally(() => {
      finish()
      process.exit(1)
    })
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop(signal))
setTimeout(() => stop(`the limit of ${LIMIT_MS / 60_000} minutes`), LIMIT_MS).unref()

const began = Date.now()
await Promise.all([
  part('sandbox', () => sandbox(first, environment, pgBouncer)),
  part('live', () => live(second, environment)),
  part('external', () => checkExternal(EXTERNAL, second, environment)),
])
// Measurements run alone.
await part('pod-resources', () => checkPodResources(new Platform(SANDBOX.name, first, environment)))
await part('monitoring', () => checkMonitoring(MONITORED.name, second, environment))
await check('cleans up', () => cleanUp(environment.charts))
console.log(`in ${Math.round((Date.now() - began) / 1000)} s`)
finish()
process.exit()
