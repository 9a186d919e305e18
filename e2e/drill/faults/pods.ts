import { run } from '../../cluster.ts'
import { podOf, podsOf, SERVICES, space } from '../release.ts'
import type { Fault } from './fault.ts'

/** A pod of each service leaves in an orderly way, or Redis at once. */

export const evicted: Fault = {
  what: 'a pod of each service evicted',
  async happen() {
    for (const service of SERVICES) {
      const name = await podOf(service)
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } }
      const path = `/api/v1/namespaces/${space.name}/pods/${name}/eviction`
      const input = JSON.stringify(eviction)
      await run('kubectl', ['create', `--raw=${path}`, '--filename=-'], { input })
    }
  },
}

export const deleted: Fault = {
  what: 'a pod of each service deleted',
  async happen() {
    for (const service of SERVICES) {
      await space.kubectl(['delete', 'pod', await podOf(service), '--wait=false'])
    }
  },
}

export const redisDeleted: Fault = {
  what: 'Redis deleted by force',
  async happen() {
    const byForce = ['--force', '--grace-period=0', '--wait=false']
    await space.kubectl(['delete', 'pod', ...(await podsOf('redis')), ...byForce])
  },
}
