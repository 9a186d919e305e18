import { run } from '../../cluster.ts'
import { podOf, podsOf, SERVICES, namespace } from '../release.ts'
import type { Fault } from './fault.ts'

/** Deletion and eviction of service pods, and forced deletion of Redis. */

export const evicted: Fault = {
  title: 'one pod of each service evicted',
  async inject() {
    for (const service of SERVICES) {
      const name = await podOf(service)
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } }
      const path = `/api/v1/namespaces/${namespace.name}/pods/${name}/eviction`
      const input = JSON.stringify(eviction)
      await run('kubectl', ['create', `--raw=${path}`, '--filename=-'], { input })
    }
  },
}

export const deleted: Fault = {
  title: 'one pod of each service deleted',
  async inject() {
    for (const service of SERVICES) {
      await namespace.kubectl(['delete', 'pod', await podOf(service), '--wait=false'])
    }
  },
}

export const redisDeleted: Fault = {
  title: 'Redis force-deleted',
  async inject() {
    const byForce = ['--force', '--grace-period=0', '--wait=false']
    await namespace.kubectl(['delete', 'pod', ...(await podsOf('redis')), ...byForce])
  },
}
