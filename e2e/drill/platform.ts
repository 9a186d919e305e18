import { join } from 'node:path'
import { eventually, type Resource } from '../cluster.ts'
import type { Helm } from '../helm.ts'
import { HOST, send } from './edge.ts'
import { CLUSTERS, psql, RELEASE, SERVICES, space } from './release.ts'

/** The platform under the drill: installed by its charts, and awaited. */

const STEADY_WITHIN_MS = 420_000
const LOOK_EVERY_MS = 2_000

/** Where it comes from. */
export interface Source {
  readonly helm: Helm
  /** Folder of the packed charts. */
  readonly charts: string
}

export async function install({ helm, charts }: Source, file: string, values: object = {}) {
  await helm.deploy(space, RELEASE, join(charts, 'platform'), {
    files: [new URL(file, import.meta.url).pathname],
    values: { edge: { kind: 'ingress', hosts: [HOST] }, ...values },
  })
  await steady()
}

/** Waits until nothing is amiss or on its way: pods, instances, their replication, and the edge. */
export async function steady() {
  const wait = { limitMs: STEADY_WITHIN_MS, everyMs: LOOK_EVERY_MS }
  await eventually('a steady state', amiss, wait)
}

/** @throws Error that says what is not as it should be */
async function amiss() {
  const all = await space.list(`${CLUSTERS},deployments,pods`)
  const leaving = all.find(({ metadata }) => metadata.deletionTimestamp)
  if (leaving) throw new Error(`${leaving.metadata.name} is on its way out`)
  for (const one of all) {
    if (one.kind === 'Cluster' && !isWhole(one))
      throw new Error(`${one.metadata.name} is not whole`)
    if (one.kind === 'Deployment' && !isRolledOut(one)) {
      throw new Error(`${one.metadata.name} is not rolled out`)
    }
  }
  for (const service of SERVICES) await replicates(service, all)
  await isPublished()
}

function isWhole({ spec, status }: Resource): boolean {
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

async function replicates(service: (typeof SERVICES)[number], all: Resource[]) {
  const query = `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'`
  const [streaming] = await psql(service, query)
  const cluster = all.find(({ metadata }) => metadata.name === `${RELEASE}-${service}-db`)
  if (Number(streaming) === cluster?.spec.instances - 1) return
  throw new Error(`${streaming} instances of ${service}'s database follow the primary`)
}

/** The edge reaches both services: without a token each says 401. */
async function isPublished() {
  for (const path of ['/api/payments', '/api/auth/validate', '/api/auth/login']) {
    const { status } = await send({ method: 'GET', path })
    const expected = path === '/api/payments' ? 401 : path === '/api/auth/login' ? 405 : 404
    if (status !== expected) throw new Error(`${path} through the edge answers ${status}`)
  }
}
