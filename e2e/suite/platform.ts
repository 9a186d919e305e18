import { eventually, Namespace, run } from '../cluster.ts'
import type { Helm, Values } from '../helm.ts'
import { bodyOf, clientOf } from './http.ts'

/** A release of the platform in a separate namespace. */

/** The name of all releases; they are in different namespaces. */
export const RELEASE = 'malipo'
const SANDBOX = new URL('../sandbox.yaml', import.meta.url).pathname

export type Service = 'auth' | 'payments'
export const SERVICES: readonly Service[] = ['auth', 'payments']

/** The charts and the cluster, as needed by every part. */
export interface Environment {
  /** The folder with the packaged charts. */
  readonly charts: string
  /** CIDRs of the API server. */
  readonly apiServer: readonly string[]
}

/** Pods, Services and the node of a test cluster are in these. */
const PRIVATE_NETWORKS: readonly string[] = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
]

export class Platform {
  readonly namespace: Namespace
  readonly helm: Helm
  readonly environment: Environment
  private readonly values: Values
  private readonly files: readonly string[]

  /** `values`, and the values files of the platform chart in `files`, apply to every deployment of this release. */
  constructor(
    namespace: string,
    helm: Helm,
    environment: Environment,
    values: Values = {},
    files: readonly string[] = [],
  ) {
    this.namespace = new Namespace(namespace)
    this.helm = helm
    this.environment = environment
    this.values = values
    this.files = files
  }

  /** The host of its Ingress. */
  get host(): string {
    return `${this.namespace.name}.malipo.test`
  }

  get client() {
    return clientOf(this.host)
  }

  /**
   * Installs or upgrades the release, and waits until the edge routes to it. `changes` are merged over the release's
   * values.
   */
  async deploy(changes: Values = {}, flags: readonly string[] = []): Promise<void> {
    const apiServer = { networkPolicy: { apiServer: { cidrs: this.environment.apiServer } } }
    const base = {
      edge: { kind: 'ingress', hosts: [this.host] },
      auth: apiServer,
      payments: { ...apiServer, egress: { denyCidrs: PRIVATE_NETWORKS } },
    }
    const values = [this.values, changes].reduce<Values>(mergeValues, base)
    const chart = `${this.environment.charts}/platform`
    const files = [SANDBOX, ...this.files.map((file) => `${chart}/${file}`)]
    await this.helm.deploy(this.namespace, RELEASE, chart, { files, values, flags })
    const { hosts } = values.edge as { hosts: string[] }
    for (const host of hosts) await waitForEdge(host)
  }

  /** The running pods of a service, by name. */
  pods(service: Service | 'simulator'): Promise<string[]> {
    return this.namespace.pods(selectorOf(service))
  }

  async pod(service: Service | 'simulator'): Promise<string> {
    const [first] = await this.pods(service)
    if (first === undefined) throw new Error(`${service} has no pod`)
    return first
  }

  /** Runs a query as the database's superuser; returns one string per row. */
  async psql(service: Service, query: string): Promise<string[]> {
    const psql = ['psql', '--username=postgres', `--dbname=${service}`, '--no-psqlrc']
    const flags = ['--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1', '--command', query]
    const text = await this.namespace.exec(`${RELEASE}-${service}-db-1`, [...psql, ...flags])
    return text.split('\n').filter(Boolean)
  }
}

/** Waits until both services answer through the edge: 401 for requests without a token. */
async function waitForEdge(host: string): Promise<void> {
  const client = clientOf(host)
  await eventually(`both services as ${host} behind the edge`, async () => {
    for (const path of ['/api/auth/me', '/api/payments']) bodyOf(await client({ path }), 401)
  })
}

export function selectorOf(service: Service | 'redis' | 'simulator'): string {
  return `app.kubernetes.io/name=${service},app.kubernetes.io/instance=${RELEASE}`
}

/** Merges objects recursively as Helm does; other values are replaced. */
function mergeValues(base: Values, overrides: Values): Values {
  const entries = Object.entries(overrides).map(([key, value]) => {
    const below = base[key]
    return [key, isGroup(below) && isGroup(value) ? mergeValues(below, value) : value] as const
  })
  return { ...base, ...Object.fromEntries(entries) }
}

function isGroup(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Addresses of the API server: its Service, its endpoints, and the address in the kubeconfig. A NetworkPolicy may be
 * evaluated before or after the address is translated.
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
