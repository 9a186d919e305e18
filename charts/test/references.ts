import { parse } from 'yaml'
import type { Manifest } from './render.ts'

/** Follows every reference in a rendering to its object, and checks the names that Kubernetes and operators limit. */

/** A DNS label that starts with a letter (RFC 1035). */
const LABEL = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

/** Longest names that the API, or an operator that appends to them, accepts. */
const LONGEST: Readonly<Record<string, number>> = {
  Service: 63,
  // The controller appends a number to the names of Jobs.
  CronJob: 52,
  // 63 less `-<10>-<5>` of a pod's name, which is also its hostname.
  Deployment: 46,
  // 63 less `-<n>-full-recovery` of a Job's name; CloudNativePG accepts 50.
  Cluster: 45,
}

/** Fields that name another object, by the key that contains them. */
const REFERENCES: Readonly<Record<string, readonly [kind: string, field: string]>> = {
  secretKeyRef: ['Secret', 'name'],
  secret: ['Secret', 'name'],
  passwordSecret: ['Secret', 'name'],
  configMapRef: ['ConfigMap', 'name'],
  configMap: ['ConfigMap', 'name'],
  scaleTargetRef: ['Deployment', 'name'],
  cluster: ['Cluster', 'name'],
  persistentVolumeClaim: ['PersistentVolumeClaim', 'claimName'],
}

/** All problems of a rendering; `external` lists Secrets and ConfigMaps that exist without the charts. */
export function problemsOf(all: readonly Manifest[], external: readonly string[] = []): string[] {
  const rendering = new Names(all, external)
  return [
    ...all.flatMap(nameProblems),
    ...duplicates(all),
    ...all.flatMap((object) => missingObjects(object, rendering)),
    ...all.flatMap((object) => missingServices(object, rendering)),
    ...all.flatMap((object) => unmatchedSelectors(object, rendering)),
  ]
}

class Names {
  readonly services = new Map<string, Manifest>()
  /** Labels of pods, including those that the operator adds to its pods. */
  readonly pods: Record<string, string>[] = []
  private readonly names = new Set<string>()
  private readonly all: readonly Manifest[]

  constructor(all: readonly Manifest[], external: readonly string[]) {
    this.all = all
    for (const name of external) this.names.add(`Secret ${name}`).add(`ConfigMap ${name}`)
    for (const { kind, metadata, spec } of all) {
      const name = metadata.name as string
      this.names.add(`${kind} ${name}`)
      if (kind === 'ExternalSecret') this.names.add(`Secret ${spec.target.name}`)
      if (kind === 'Service') this.services.set(name, spec)
      if (kind === 'Pod') this.pods.push(metadata.labels)
      if (kind === 'Deployment') this.pods.push(spec.template.metadata.labels)
      if (kind === 'CronJob') this.pods.push(spec.jobTemplate.spec.template.metadata.labels)
      if (kind === 'Cluster') this.addCluster(name)
      if (kind === 'Pooler') {
        this.services.set(name, { ports: [{ port: 5432 }] })
        this.pods.push({ 'cnpg.io/poolerName': name })
      }
    }
  }

  has(kind: string, name: string): boolean {
    return this.names.has(`${kind} ${name}`)
  }

  serviceLabels(): Record<string, string>[] {
    return this.all.filter(({ kind }) => kind === 'Service').map(({ metadata }) => metadata.labels)
  }

  /** The objects that CloudNativePG creates for a Cluster. */
  private addCluster(name: string): void {
    for (const suffix of ['app', 'ca']) this.names.add(`Secret ${name}-${suffix}`)
    for (const suffix of ['rw', 'ro', 'r']) {
      this.services.set(`${name}-${suffix}`, { ports: [{ port: 5432 }] })
    }
    this.pods.push({ 'cnpg.io/cluster': name, 'cnpg.io/podRole': 'instance' })
  }
}

const idOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`

function nameProblems(object: Manifest): string[] {
  const { kind, metadata } = object
  const name = metadata.name as unknown
  const longest = LONGEST[kind] ?? 63
  const labels = [...nodes(object)].flatMap(([key, node]) =>
    ['labels', 'matchLabels'].includes(key) ? Object.entries(node as object) : [],
  )
  return [
    ...(typeof name === 'string' && LABEL.test(name) && name.length <= longest
      ? []
      : [`${idOf(object)}: the name is not a DNS label of at most ${longest} characters`]),
    ...labels
      .filter(([, value]) => typeof value !== 'string' || !LABEL_VALUE.test(value))
      .map(([key, value]) => `${idOf(object)}: label ${key} is ${JSON.stringify(value)}`),
  ]
}

function duplicates(all: readonly Manifest[]): string[] {
  const ids = all.map(idOf)
  return ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `${id} is rendered twice`)
}

function missingObjects(object: Manifest, names: Names): string[] {
  const wanted = [...nodes(object)].flatMap(([key, node]): [string, string][] => {
    const { serviceAccountName, secretName, barmanObjectName } = node as Manifest
    const [kind, field] = REFERENCES[key] ?? []
    const name = kind && field ? (node as Manifest)[field] : undefined
    return [
      ...(kind && typeof name === 'string' ? [[kind, name] as [string, string]] : []),
      ...(serviceAccountName ? [['ServiceAccount', serviceAccountName] as [string, string]] : []),
      ...(secretName ? [['Secret', secretName] as [string, string]] : []),
      ...(barmanObjectName ? [['ObjectStore', barmanObjectName] as [string, string]] : []),
    ]
  })
  return wanted
    .filter(([kind, name]) => !names.has(kind, name))
    .map(([kind, name]) => `${idOf(object)}: there is no ${kind} ${name}`)
}

/** Backends of routes, and addresses in settings and programs. */
function missingServices(object: Manifest, { services }: Names): string[] {
  const wanted: [string, string | number][] = []
  for (const [key, node] of nodes(object)) {
    const each = node as Manifest
    if (object.kind === 'Ingress' && key === 'service') {
      wanted.push([each.name, each.port.name ?? each.port.number])
    }
    if (object.kind === 'HTTPRoute' && key === 'backendRefs') {
      if (each.name) wanted.push([each.name, each.port])
    }
    if (each.name === 'DB_HOST' && typeof each.value === 'string') wanted.push([each.value, 5432])
    if (key === 'args') {
      for (const [, host = '', port] of each
        .join(' ')
        .matchAll(/https?:\/\/([-a-z0-9.]+):(\d+)/g)) {
        wanted.push([host, Number(port)])
      }
    }
  }
  if (object.kind === 'ConfigMap') {
    const { AUTH_SERVICE_URL, REDIS_URL, DB_HOST, DB_PORT } = object.data
    wanted.push(...[AUTH_SERVICE_URL, REDIS_URL].filter(Boolean).map(addressOf))
    if (DB_HOST) wanted.push([DB_HOST, Number(DB_PORT)])
    const { accounts = [] } = parse(object.data['providers.yaml'] ?? '{}')
    for (const { baseUrl, callbackOrigin } of accounts) {
      wanted.push(...[baseUrl, callbackOrigin].map(addressOf))
    }
  }
  return wanted
    .filter(([name, port]) => {
      const ports = (services.get(name)?.ports ?? []) as { name?: string; port: number }[]
      return !ports.some((each) => each.name === port || each.port === port)
    })
    .map(([name, port]) => `${idOf(object)}: there is no Service ${name} with port ${port}`)
}

function addressOf(url: string): [string, number] {
  const { hostname, port } = new URL(url)
  return [hostname, Number(port) || 80]
}

function unmatchedSelectors(object: Manifest, names: Names): string[] {
  const { kind, spec } = object
  const targets = kind === 'ServiceMonitor' ? names.serviceLabels() : names.pods
  const selectors: Record<string, string>[] = []
  if (kind === 'Service') selectors.push(spec.selector)
  if (['PodDisruptionBudget', 'ServiceMonitor', 'PodMonitor'].includes(kind)) {
    selectors.push(spec.selector.matchLabels)
  }
  if (kind === 'Deployment') {
    selectors.push(spec.selector.matchLabels)
    for (const each of spec.template.spec.topologySpreadConstraints ?? []) {
      selectors.push(each.labelSelector.matchLabels)
    }
  }
  if (kind === 'NetworkPolicy') {
    for (const [key, node] of nodes(spec)) {
      const { namespaceSelector, podSelector } = node as Manifest
      // Pods of other namespaces are not in the rendering.
      if (key !== 'podSelector' && podSelector?.matchLabels && !namespaceSelector) {
        selectors.push(podSelector.matchLabels)
      }
    }
  }
  const matches = (labels: Record<string, string>, selector: Record<string, string>) =>
    Object.entries(selector).every(([key, value]) => labels[key] === value)
  return selectors
    .filter((selector) => !targets.some((labels) => matches(labels, selector)))
    .map((selector) => `${idOf(object)}: ${JSON.stringify(selector)} selects nothing`)
}

/** Every object and array in a value, with the key that contains it; items of an array have the array's key. */
function* nodes(value: unknown, key = ''): Generator<[string, unknown]> {
  if (typeof value !== 'object' || value === null) return
  yield [key, value]
  for (const [name, each] of Object.entries(value)) {
    yield* nodes(each, Array.isArray(value) ? key : name)
  }
}
