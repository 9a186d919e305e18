import { Namespace } from '../cluster.ts'

/** The drill's release, its pods and its databases. */

export const RELEASE = process.env.DRILL_RELEASE ?? 'drill'
export const namespace = new Namespace(process.env.DRILL_NAMESPACE ?? 'drill')

/** A service of the platform. */
export type Service = 'auth' | 'payments'

export const SERVICES: readonly Service[] = ['auth', 'payments']

export function podsOf(name: Service | 'redis'): Promise<string[]> {
  return namespace.pods(`app.kubernetes.io/name=${name},app.kubernetes.io/instance=${RELEASE}`)
}

/** Any pod of a service. */
export async function podOf(service: Service): Promise<string> {
  const [pod] = await podsOf(service)
  if (!pod) throw new Error(`${service} has no pod`)
  return pod
}

/** The restart count of a pod's container. */
export async function restarts(pod: string): Promise<number> {
  const { status } = await namespace.get('pod', pod)
  return Number(status.containerStatuses[0].restartCount)
}

export const CLUSTERS = 'clusters.postgresql.cnpg.io'

/** The name of a service's database cluster. */
export function clusterOf(service: Service): string {
  return `${RELEASE}-${service}-db`
}

export function primaryOf(service: Service): Promise<string> {
  const path = '--output=jsonpath={.status.currentPrimary}'
  return namespace.kubectl(['get', CLUSTERS, clusterOf(service), path])
}

/** Runs a query on the primary; returns one string per row. */
export async function psql(service: Service, query: string): Promise<string[]> {
  const psql = ['psql', '--username=postgres', `--dbname=${service}`, '--no-psqlrc']
  const flags = ['--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1', `--command=${query}`]
  const command = ['--container=postgres', '--', ...psql, ...flags]
  const output = await namespace.kubectl(['exec', await primaryOf(service), ...command])
  return output.split('\n').filter(Boolean)
}
