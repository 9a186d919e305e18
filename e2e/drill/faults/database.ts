import { eventually } from '../../cluster.ts'
import { clusterOf, CLUSTERS, primaryOf, restarts, type Service, space } from '../release.ts'
import type { Fault } from './fault.ts'

/** What can become of a database's primary; each way ends with another instance in its place. */

/** A pause of all writes is late for each of them, and an instance that begins anew is missed meanwhile. */
const WHILE_IT_STANDS = ['LatencyBudgetBurn', 'ReplicaMissing']

const LIMIT = { limitMs: 180_000 }

function toPrimary(
  service: Service,
  what: string,
  strike: (pod: string) => Promise<unknown>,
): Fault {
  return {
    what,
    alerts: WHILE_IT_STANDS,
    async happen() {
      const primary = await primaryOf(service)
      await strike(primary)
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
  space.kubectl(['delete', 'pod', pod, '--wait=false', ...how])
const byForce = ['--force', '--grace-period=0']

/** What `kubectl cnpg promote` does: the operator is told which instance is to be the primary. */
export const switchover = toPrimary('payments', 'switchover of the database', async (primary) => {
  const cluster = clusterOf('payments')
  const { status } = await space.get(CLUSTERS, cluster)
  const next = (status.instanceNames as string[]).find((name) => name !== primary)
  const order = {
    targetPrimary: next,
    targetPrimaryTimestamp: new Date().toISOString().replace('Z', '000Z'),
    phase: 'Switchover in progress',
    phaseReason: `Switching over to ${next}`,
  }
  const patch = ['--type=merge', `--patch=${JSON.stringify({ status: order })}`]
  await space.kubectl(['patch', CLUSTERS, cluster, '--subresource=status', ...patch])
})

export const primaryDeleted = toPrimary('payments', 'the primary’s pod deleted', (pod) =>
  deletePod(pod),
)

export const primaryForced = toPrimary('payments', 'the primary’s pod deleted by force', (pod) =>
  deletePod(pod, ...byForce),
)

/** Kills all but the container's first process, which notices; its own shell is killed as well. */
const killAll = ['--container=postgres', '--', 'bash', '-c', 'kill -9 -1']

/** The operator may take the same instance again, if that is up soon enough. */
export const primaryKilled: Fault = {
  what: 'the primary’s processes killed (SIGKILL)',
  alerts: WHILE_IT_STANDS,
  async happen() {
    const primary = await primaryOf('payments')
    const before = await restarts(primary)
    await space.kubectl(['exec', primary, ...killAll]).catch(() => undefined)
    await eventually(
      'a new start',
      async () => {
        if ((await restarts(primary)) === before)
          throw new Error(`${primary} was not started again`)
      },
      LIMIT,
    )
  },
}

export const authPrimaryForced = toPrimary(
  'auth',
  'the primary’s pod of auth’s database deleted by force',
  (pod) => deletePod(pod, ...byForce),
)

export const volumeLost = toPrimary('payments', 'the primary and its volume lost', async (pod) => {
  // A claim in use is deleted as soon as its pod is.
  await space.kubectl(['delete', 'pvc', pod, '--wait=false'])
  await deletePod(pod, ...byForce)
})
