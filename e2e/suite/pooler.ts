import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { walkThrough } from './http.ts'
import { type Platform, RELEASE, type Service, SERVICES } from './platform.ts'

/** PgBouncer between the services and their databases, in transaction mode. */

export async function checkPooler(platform: Platform, image: string): Promise<void> {
  const database = { pooler: { enabled: true, instances: 1, resources: SMALL, image } }
  const ok = await check('pooler: switches the platform to PgBouncer', async () => {
    await platform.deploy({ auth: { database }, payments: { database } })
    for (const service of SERVICES) {
      await platform.namespace.kubectl([
        ...['rollout', 'status', `deployment/${RELEASE}-${service}-db-pooler`, '--timeout=90s'],
      ])
    }
  })
  if (!ok) return
  await check('pooler: the walk-through succeeds', () => walkThrough(platform.host))
  await check('pooler: services connect to their databases only through PgBouncer', async () => {
    for (const service of SERVICES) {
      // Direct connections of old pods close when these terminate.
      await eventually(`PgBouncer before ${service}'s database`, () =>
        onlyPooler(platform, service),
      )
    }
  })
}

/** @throws Error if the service's role has a direct connection, or none at all */
async function onlyPooler(platform: Platform, service: Service): Promise<void> {
  const role = `usename = '${service}_service'`
  const query = `SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE ${role}`
  const addresses = await platform.psql(service, query)
  const selector = `cnpg.io/poolerName=${RELEASE}-${service}-db-pooler`
  const pods = await platform.namespace.list('pod', selector)
  const poolerAddresses = pods.map(({ status }) => String(status.podIP))
  const others = addresses.filter((address) => !poolerAddresses.includes(address))
  if (addresses.length === 0 || others.length > 0) throw new Error(addresses.join())
}

const SMALL = { requests: { cpu: '5m', memory: '32Mi' }, limits: { memory: '128Mi' } }
