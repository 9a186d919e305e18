import { readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCharts } from '../../e2e/helm.ts'
import { allCases, type Manifest, render, type Rendering, template } from './render.ts'

/** What must hold of Redis, of the platform around the services, and of what watches them. */

let charts = ''
const made = new Map<string, Rendering>()

beforeAll(async () => {
  charts = await packCharts()
  for (const each of allCases()) {
    made.set(`${each.chart} ${each.name}`, await render('helm', charts, each))
  }
})
afterAll(() => rm(charts, { recursive: true }))

const of = (name: string): Rendering => {
  const found = made.get(name)
  if (!found) throw new Error(`no case ${name}`)
  return found
}

describe('redis', () => {
  it('serves TLS and nothing else where it has a certificate', () => {
    const { args, command } = of('redis tls').find('Deployment').spec.template.spec.containers[0]
    expect(command).toEqual(['valkey-server'])
    expect(args.join(' ')).toContain('--port 0 --tls-port 6379')
    expect(of('redis default').text).not.toContain('--tls-port')
  })

  it('keeps nothing on a disk, and forgets what ends soonest', () => {
    const { args } = of('redis default').find('Deployment').spec.template.spec.containers[0]
    expect(args.join(' ')).toContain('--save  --appendonly no --maxmemory 64mb')
    expect(args).toContain('volatile-ttl')
  })
})

describe('platform', () => {
  const PUBLIC = [
    'Exact /.well-known/jwks.json',
    ...['audit', 'login', 'logout', 'me', 'password', 'refresh', 'register', 'sessions'].map(
      (name) => `Exact /api/auth/${name}`,
    ),
    'Exact /api/payments',
    'Prefix /api/auth/sessions/',
    'Prefix /api/auth/users/',
    'Prefix /api/payments/',
  ]

  it('publishes the public routes by an Ingress, and no other', () => {
    for (const { host, http } of of('platform ingress').find('Ingress').spec.rules as Manifest[]) {
      const paths: string[] = http.paths.map((each: Manifest) => `${each.pathType} ${each.path}`)
      expect(new Set(paths)).toEqual(new Set(PUBLIC))
      expect(['a.test', 'b.test']).toContain(host)
    }
  })

  it('publishes the same by HTTPRoutes', () => {
    const routes = of('platform gateway').all.filter(({ kind }) => kind === 'HTTPRoute')
    const paths = routes.flatMap(({ spec }) =>
      spec.rules.flatMap((rule: Manifest) =>
        rule.matches.map(({ path }: Manifest) => `${path.type.replace('Path', '')} ${path.value}`),
      ),
    )
    expect(new Set(paths)).toEqual(new Set(PUBLIC))
  })

  it('leads to the port that a service has', () => {
    const route = of('platform gateway-any-host').find('HTTPRoute', '-auth')
    expect(route.spec.rules[0].backendRefs[0].port).toBe(3100)
  })

  it('publishes nothing unless it is told to', () => {
    const kinds = of('platform default').all.map(({ kind }) => kind as string)
    expect(kinds).not.toContain('Ingress')
    expect(kinds).not.toContain('HTTPRoute')
  })

  it('denies everything that no policy names', () => {
    expect(of('platform default').find('NetworkPolicy', '-deny-all').spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    })
  })

  it('refuses a gateway that is not named', async () => {
    const gateway = template(
      'helm',
      charts,
      { chart: 'platform', files: [] },
      '--set=edge.kind=gateway',
    )
    await expect(gateway).rejects.toThrow(/parentRefs/)
  })
})

describe('what watches', () => {
  const MONITORS = ['ServiceMonitor', 'PodMonitor', 'PrometheusRule']

  it('is not there unless it is asked for', () => {
    for (const name of ['auth default', 'payments default', 'redis default', 'platform default']) {
      expect(of(name).all.filter(({ kind }) => MONITORS.includes(kind as string))).toEqual([])
    }
  })

  it('has the labels by which a Prometheus selects it', () => {
    const all = ['auth watched', 'payments watched', 'redis watched'].flatMap((name) =>
      of(name).all.filter(({ kind }) => MONITORS.includes(kind as string)),
    )
    expect(all).toHaveLength(7)
    for (const { metadata } of all) expect(metadata.labels.release).toBe('prometheus')
  })

  it('finds the service, each instance of its database, and PgBouncer', () => {
    const { all, find } = of('payments pooled')
    const labels = find('Service').metadata.labels as Record<string, string>
    expect(labels).toMatchObject(find('ServiceMonitor').spec.selector.matchLabels)
    const podMonitors = all.filter(({ kind }) => kind === 'PodMonitor')
    expect(podMonitors.map(({ spec }) => spec.selector.matchLabels as object)).toEqual([
      { 'cnpg.io/cluster': 'release-payments-db', 'cnpg.io/podRole': 'instance' },
      { 'cnpg.io/poolerName': 'release-payments-db-pooler' },
    ])
  })

  it('has every dashboard in a ConfigMap for Grafana’s sidecar, with links to the runbooks', () => {
    const files = readdirSync(new URL('../platform/files/dashboards/', import.meta.url))
    const maps = of('platform watched').all.filter(
      ({ metadata }: Manifest) => metadata.labels.grafana_dashboard === '1',
    )
    expect(files.length).toBe(6)
    expect(maps).toHaveLength(files.length)
    for (const { data, metadata } of maps) {
      const [text] = Object.values(data as Record<string, string>)
      expect(JSON.parse(text ?? '').uid).toMatch(/^malipo-/)
      expect(text).not.toContain('RUNBOOKS')
      expect(metadata.annotations).toEqual({ grafana_folder: 'Malipo' })
    }
  })
})
