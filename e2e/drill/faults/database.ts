import { eventually } from '../../cluster.ts'
import { clusterOf, CLUSTERS, primaryOf, restarts, type Service, namespace } from '../release.ts'
import type { Fault } from './fault.ts'

/** Faults of a database's primary; after each, another instance is primary. */

/** Writes wait during the failover, and the restarting instance is missing as a standby. */
const ALLOWED_ALERTS = ['LatencyBudgetBurn', 'ReplicaMissing']

const LIMIT = { limitMs: 180_000 }

function primaryFault(
  service: Service,
  title: string,
  act: (pod: string) => Promise<unknown>,
): Fault {
  return {
    title,
    allowedAlerts: ALLOWED_ALERTS,
    async inject() {
      const primary = await primaryOf(service)
      await act(primary)
      await eventually(
        'another primary',
        async () => {
          if ((await primaryOf(service)) === primary) throw new Error(`${primary} is still primary`)
        },
        LIMIT,
      )
    },
  }
}

const deletePod = (pod: string, ...how: string[]) =>
  namespace.kubectl(['delete', 'pod', pod, '--wait=false', ...how])
const byForce = ['--force', '--grace-period=0']

/** The same as `kubectl cnpg promote`: sets the target primary in the Cluster's status. */
export const switchover = primaryFault(
  'payments',
  'switchover of the database',
  async (primary) => {
    const cluster = clusterOf('payments')
    const { status } = await namespace.get(CLUSTERS, cluster)
    const next = (status.instanceNames as string[]).find((name) => name !== primary)
    const promotion = {
      targetPrimary: next,
      targetPrimaryTimestamp: new Date().toISOString().replace('Z', '000Z'),
      phase: 'Switchover in progress',
      phaseReason: `Switching over to ${next}`,
    }
    const patch = ['--type=merge', `--patch=${JSON.stringify({ status: promotion })}`]
    await namespace.kubectl(['patch', CLUSTERS, cluster, '--subresource=status', ...patch])
  },
)

export const primaryDeleted = primaryFault('payments', 'the primary’s pod deleted', (pod) =>
  deletePod(pod),
)

export const primaryForced = primaryFault('payments', 'the primary’s pod force-deleted', (pod) =>
  deletePod(pod, ...byForce),
)

/** Kills all processes except PID 1, which detects it; including the shell that runs the command. */
const killAll = ['--container=postgres', '--', 'bash', '-c', 'kill -9 -1']

/** The same instance may stay primary if it restarts quickly enough. */
export const primaryKilled: Fault = {
  title: 'the primary’s processes killed (SIGKILL)',
  allowedAlerts: ALLOWED_ALERTS,
  async inject() {
    const primary = await primaryOf('payments')
    const before = await restarts(primary)
    await namespace.kubectl(['exec', primary, ...killAll]).catch(() => undefined)
    await eventually(
      'a restart',
      async () => {
        if ((await restarts(primary)) === before) throw new Error(`${primary} has not restarted`)
      },
      LIMIT,
    )
  },
}

export const authPrimaryForced = primaryFault(
  'auth',
  'the pod of auth’s primary force-deleted',
  (pod) => deletePod(pod, ...byForce),
)

export const volumeLost = primaryFault(
  'payments',
  'the primary and its volume lost',
  async (pod) => {
    // A PersistentVolumeClaim in use is deleted after its pod.
    await namespace.kubectl(['delete', 'pvc', pod, '--wait=false'])
    await deletePod(pod, ...byForce)
  },
)
