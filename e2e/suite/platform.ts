import { eventually, Namespace, run } from '../cluster.ts'
import type { Helm, Values } from '../helm.ts'
import { bodyOf, clientOf } from './http.ts'

/** A release of the platform in a namespace of its own. */

/** The name of every release here: namespaces tell them apart. */
export const RELEASE = 'malipo'
const SANDBOX = new URL('../sandbox.yaml', import.meta.url).pathname

export type Service = 'auth' | 'payments'
export const SERVICES: readonly Service[] = ['auth', 'payments']

/** What every part needs to know of the cluster. */
export interface Ground {
  /** The folder with the packed charts. */
  readonly charts: string
  /** Where pods find the API server, as networks. */
  readonly apiServer: readonly string[]
}

export class Platform {
  readonly namespace: Namespace
  readonly helm: Helm
  readonly ground: Ground
  private readonly own: Values

  /** `own` are the values that set this release apart, whatever else is changed. */
  constructor(namespace: string, helm: Helm, ground: Ground, own: Values = {}) {
    this.namespace = new Namespace(namespace)
    this.helm = helm
    this.ground = ground
    this.own = own
  }

  /** The name that it is published under. */
  get host(): string {
    return `${this.namespace.name}.malipo.test`
  }

  get client() {
    return clientOf(this.host)
  }

  /**
   * Installs or upgrades it, and waits until the edge has learned of it; `changes` go over the values that it
   * has otherwise.
   */
  async deploy(changes: Values = {}, flags: readonly string[] = []): Promise<void> {
    const apiServer = { networkPolicy: { apiServer: { cidrs: this.ground.apiServer } } }
    const base = {
      edge: { kind: 'ingress', hosts: [this.host] },
      auth: apiServer,
      payments: apiServer,
    }
    const values = [this.own, changes].reduce<Values>(merged, base)
    const chart = `${this.ground.charts}/platform`
    await this.helm.deploy(this.namespace, RELEASE, chart, { files: [SANDBOX], values, flags })
    const { hosts } = values.edge as { hosts: string[] }
    for (const host of hosts) await published(host)
  }

  /** The running pods of a service, by name. */
  pods(service: Service): Promise<string[]> {
    return this.namespace.pods(selectorOf(service))
  }

  async pod(service: Service): Promise<string> {
    const [first] = await this.pods(service)
    if (first === undefined) throw new Error(`${service} has no pod`)
    return first
  }

  /** What a query prints that the database's superuser makes, a row a line. */
  async psql(service: Service, query: string): Promise<string[]> {
    const as = ['psql', '--username=postgres', `--dbname=${service}`, '--no-psqlrc']
    const plain = ['--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1', '--command', query]
    const text = await this.namespace.exec(`${RELEASE}-${service}-db-1`, [...as, ...plain])
    return text.split('\n').filter(Boolean)
  }
}

/** Waits until both services answer under a name: without a token each says 401. */
async function published(host: string): Promise<void> {
  const client = clientOf(host)
  await eventually(`both services as ${host} behind the edge`, async () => {
    for (const path of ['/api/auth/me', '/api/payments']) bodyOf(await client({ path }), 401)
  })
}

export function selectorOf(service: Service | 'redis'): string {
  return `app.kubernetes.io/name=${service},app.kubernetes.io/instance=${RELEASE}`
}

/** Objects are merged, as helm does; everything else is replaced. */
function merged(base: Values, over: Values): Values {
  const entries = Object.entries(over).map(([key, value]) => {
    const below = base[key]
    return [key, isGroup(below) && isGroup(value) ? merged(below, value) : value] as const
  })
  return { ...base, ...Object.fromEntries(entries) }
}

function isGroup(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Where pods find the API server: its Service, what is behind that, and what this machine knows it as, since
 * a policy sees an address before or after it is translated.
 */
export async function apiServerAddresses(): Promise<string[]> {
  const slices = '--selector=kubernetes.io/service-name=kubernetes'
  const [service, behind, known] = await Promise.all([
    run('kubectl', ['get', 'service', 'kubernetes', '--namespace=default', '--output=json']),
    run('kubectl', ['get', 'endpointslice', '--namespace=default', slices, '--output=json']),
    run('kubectl', [
      'config',
      'view',
      '--minify',
      '--output=jsonpath={.clusters[0].cluster.server}',
    ]),
  ])
  const { spec } = JSON.parse(service) as { spec: { clusterIP: string } }
  const { items } = JSON.parse(behind) as { items: { endpoints: { addresses: string[] }[] }[] }
  const addresses = items.flatMap(({ endpoints }) => endpoints.flatMap((each) => each.addresses))
  const all = [spec.clusterIP, ...addresses, new URL(known).hostname]
  return [...new Set(all)].filter((each) => /^[\d.]+$/.test(each)).map((each) => `${each}/32`)
}
