import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { walkThrough } from './http.ts'
import { type Platform, RELEASE, type Service, SERVICES } from './platform.ts'

/** PgBouncer between the services and their databases, by the operator, in transaction mode. */

export async function checkPooler(platform: Platform, image: string): Promise<void> {
  const database = { pooler: { enabled: true, instances: 1, resources: SMALL, image } }
  const ok = await check('pooler: the platform goes over to PgBouncer', async () => {
    await platform.deploy({ auth: { database }, payments: { database } })
    for (const service of SERVICES) {
      await platform.namespace.kubectl([
        ...['rollout', 'status', `deployment/${RELEASE}-${service}-db-pooler`, '--timeout=90s'],
      ])
    }
  })
  if (!ok) return
  await check('pooler: a payment goes its way', () => walkThrough(platform.host))
  await check('pooler: it is PgBouncer that asks the databases', async () => {
    for (const service of SERVICES) {
      // Pods that went over leave their own connections when they end.
      await eventually(`PgBouncer before ${service}'s database`, () =>
        onlyPooler(platform, service),
      )
    }
  })
}

/** @throws Error when the service's role is connected from elsewhere, or not at all */
async function onlyPooler(platform: Platform, service: Service): Promise<void> {
  const role = `usename = '${service}_service'`
  const query = `SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE ${role}`
  const addresses = await platform.psql(service, query)
  const selector = `cnpg.io/poolerName=${RELEASE}-${service}-db-pooler`
  const pods = await platform.namespace.list('pod', selector)
  const own = pods.map(({ status }) => String(status.podIP))
  const others = addresses.filter((address) => !own.includes(address))
  if (addresses.length === 0 || others.length > 0) throw new Error(addresses.join())
}

const SMALL = { requests: { cpu: '5m', memory: '32Mi' }, limits: { memory: '128Mi' } }
