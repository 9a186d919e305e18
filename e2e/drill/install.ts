import { join } from 'node:path'
import { eventually, type Resource } from '../cluster.ts'
import type { Helm } from '../helm.ts'
import { HOST, send } from './http.ts'
import { CLUSTERS, psql, RELEASE, SERVICES, namespace } from './release.ts'

/** Installs the platform, and waits until it is stable. */

const STABLE_WITHIN_MS = 420_000
const POLL_INTERVAL_MS = 2_000

/** The Helm and charts to install with. */
export interface Source {
  readonly helm: Helm
  /** Folder of the packaged charts. */
  readonly charts: string
}

/** @param file values beside this file, or the path of a file */
export async function install({ helm, charts }: Source, file: string, values: object = {}) {
  await helm.deploy(namespace, RELEASE, join(charts, 'platform'), {
    files: [new URL(file, import.meta.url).pathname],
    values: { edge: { kind: 'ingress', hosts: [HOST] }, ...values },
  })
  await waitUntilStable()
}

/** Waits until pods, database instances, replication and the edge are healthy and no rollout is in progress. */
export async function waitUntilStable() {
  const wait = { limitMs: STABLE_WITHIN_MS, everyMs: POLL_INTERVAL_MS }
  await eventually('a stable state', assertStable, wait)
}

/** @throws Error that names the first resource that is not stable */
async function assertStable() {
  const all = await namespace.list(`${CLUSTERS},deployments,pods`)
  const terminating = all.find(({ metadata }) => metadata.deletionTimestamp)
  if (terminating) throw new Error(`${terminating.metadata.name} is being deleted`)
  for (const one of all) {
    if (one.kind === 'Cluster' && !isHealthy(one))
      throw new Error(`${one.metadata.name} is not healthy`)
    if (one.kind === 'Deployment' && !isRolledOut(one)) {
      throw new Error(`${one.metadata.name} is not rolled out`)
    }
  }
  for (const service of SERVICES) await assertReplicates(service, all)
  await assertExposed()
}

function isHealthy({ spec, status }: Resource): boolean {
  const isHealthy = status?.phase === 'Cluster in healthy state'
  const isComplete = status?.readyInstances === spec.instances
  return isHealthy && isComplete && status.currentPrimary === status.targetPrimary
}

function isRolledOut({ metadata, spec, status }: Resource): boolean {
  const counts = [status?.replicas, status?.updatedReplicas, status?.availableReplicas]
  const { generation } = metadata as { generation?: number }
  const isSeen = status?.observedGeneration === generation
  return isSeen && counts.every((count) => count === spec.replicas)
}

async function assertReplicates(service: (typeof SERVICES)[number], all: Resource[]) {
  const query = `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'`
  const [streaming] = await psql(service, query)
  const cluster = all.find(({ metadata }) => metadata.name === `${RELEASE}-${service}-db`)
  if (Number(streaming) === cluster?.spec.instances - 1) return
  throw new Error(`${streaming} standbys of ${service}'s database are streaming`)
}

/** The edge routes to both services, and not to private routes. */
async function assertExposed() {
  for (const path of ['/api/payments', '/api/auth/validate', '/api/auth/login']) {
    const { status } = await send({ method: 'GET', path })
    const expected = path === '/api/payments' ? 401 : path === '/api/auth/login' ? 405 : 404
    if (status !== expected) throw new Error(`${path} returns ${status} through the edge`)
  }
}
