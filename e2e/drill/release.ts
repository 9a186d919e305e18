import { Namespace } from '../cluster.ts'

/** The release that the drill installs, and the pods and databases in it. */

export const RELEASE = process.env.DRILL_RELEASE ?? 'drill'
export const space = new Namespace(process.env.DRILL_NAMESPACE ?? 'drill')

/** A service of the platform. */
export type Service = 'auth' | 'payments'

export const SERVICES: readonly Service[] = ['auth', 'payments']

export function podsOf(name: Service | 'redis'): Promise<string[]> {
  return space.pods(`app.kubernetes.io/name=${name},app.kubernetes.io/instance=${RELEASE}`)
}

/** A pod of a service, whichever. */
export async function podOf(service: Service): Promise<string> {
  const [pod] = await podsOf(service)
  if (!pod) throw new Error(`${service} has no pod`)
  return pod
}

/** How often a pod's container was started again. */
export async function restarts(pod: string): Promise<number> {
  const { status } = await space.get('pod', pod)
  return Number(status.containerStatuses[0].restartCount)
}

export const CLUSTERS = 'clusters.postgresql.cnpg.io'

/** The name of a service's database cluster. */
export function clusterOf(service: Service): string {
  return `${RELEASE}-${service}-db`
}

export function primaryOf(service: Service): Promise<string> {
  const path = '--output=jsonpath={.status.currentPrimary}'
  return space.kubectl(['get', CLUSTERS, clusterOf(service), path])
}

/** What a query on the primary prints, a row a line. */
export async function psql(service: Service, query: string): Promise<string[]> {
  const as = ['psql', '--username=postgres', `--dbname=${service}`, '--no-psqlrc']
  const plain = ['--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1', `--command=${query}`]
  const inside = ['--container=postgres', '--', ...as, ...plain]
  const output = await space.kubectl(['exec', await primaryOf(service), ...inside])
  return output.split('\n').filter(Boolean)
}
