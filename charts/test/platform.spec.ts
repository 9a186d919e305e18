import { readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCharts } from '../../e2e/helm.ts'
import { allCases, type Manifest, render, type Rendering, template } from './render.ts'

/** Rules for the rendered Redis, the platform's edge and policies, and monitoring. */

let charts = ''
const renderings = new Map<string, Rendering>()

beforeAll(async () => {
  charts = await packCharts()
  for (const each of allCases()) {
    renderings.set(`${each.chart} ${each.name}`, await render('helm', charts, each))
  }
}, 300_000)
afterAll(() => rm(charts, { recursive: true }))

const of = (name: string): Rendering => {
  const found = renderings.get(name)
  if (!found) throw new Error(`no such case: ${name}`)
  return found
}

describe('retention of audit events', () => {
  it('is off by default', () => {
    expect(of('auth default').all.filter(({ kind }) => kind === 'CronJob')).toEqual([])
  })

  it('runs with the owner’s credentials, and is not a backend of the Service', () => {
    const { find } = of('auth retention')
    const { template } = find('CronJob').spec.jobTemplate.spec
    const [container] = template.spec.containers
    const owner = { secretKeyRef: { name: 'release-auth-db-app', key: 'username' } }
    expect(container.args).toEqual(['dist/cli/retention.js'])
    expect(container.env).toContainEqual({ name: 'AUDIT_RETENTION_DAYS', value: '365' })
    expect(container.env).toContainEqual({ name: 'DB_USERNAME', valueFrom: owner })
    const labels = template.metadata.labels as Record<string, string>
    expect(labels).not.toMatchObject(find('Service').spec.selector)
    expect(labels).toMatchObject(find('NetworkPolicy', 'retention').spec.podSelector.matchLabels)
    const [{ from }] = find('NetworkPolicy', '-db').spec.ingress
    expect(from).toContainEqual({ podSelector: { matchLabels: labels } })
  })
})

it('payments reads retired webhook secrets from a file only if their Secret is named', () => {
  const { find } = of('payments named-secrets')
  const path = '/secrets/service/retired-webhooks'
  expect(find('ConfigMap').data.WEBHOOK_RETIRED_SECRETS_FILE).toBe(path)
  const volumes = find('Deployment').spec.template.spec.volumes as Manifest[]
  const secrets = volumes
    .find(({ name }) => name === 'service')
    .projected.sources.map(({ secret }: Manifest) => secret as object)
  expect(secrets).toEqual([
    { name: 'providers' },
    { name: 'cache-keys', items: [{ key: 'token-cache-keys', path: 'token-cache-keys' }] },
    {
      name: 'retired-providers',
      items: [{ key: 'retired-webhooks', path: 'retired-webhooks' }],
    },
  ])
  const { data } = of('payments default').find('ConfigMap')
  expect(data).not.toHaveProperty('WEBHOOK_RETIRED_SECRETS_FILE')
})

it('payments calls an auth whose peers are templates', () => {
  const [, , rule] = of('payments named-secrets').find('NetworkPolicy', '-payments').spec.egress
  expect(rule.to).toEqual([
    { podSelector: { matchLabels: { 'app.kubernetes.io/instance': 'release-auth' } } },
  ])
})

describe('redis', () => {
  it('listens on all addresses of both families', () => {
    const { args } = of('redis default').find('Deployment').spec.template.spec.containers[0]
    // A dash in front of an address means that it may be unavailable.
    expect(args.slice(0, 3)).toEqual(['--bind', '*', '-::*'])
  })

  it('runs as the user that the platform assigns', () => {
    const { securityContext } = of('redis adapted').find('Deployment').spec.template.spec
    expect(securityContext).toEqual({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    })
  })

  it('serves only TLS with a certificate', () => {
    const { args, command } = of('redis tls').find('Deployment').spec.template.spec.containers[0]
    expect(command).toEqual(['valkey-server'])
    expect(args.join(' ')).toContain('--port 0 --tls-port 6379')
    expect(of('redis default').text).not.toContain('--tls-port')
  })

  it('has one user for each service, and a default user without access to keys', async () => {
    const { find } = await render('helm', charts, { chart: 'platform', name: '', files: [] })
    const { args, env } = find('Deployment', '-redis').spec.template.spec.containers[0]
    for (const service of ['auth', 'payments']) {
      const password = `$(${service.toUpperCase()}_PASSWORD)`
      expect(args.join(' ')).toMatch(`--user ${service} on >${password} ~`)
      const key = `${service}-password`
      const secret = { name: 'release-redis', key }
      expect(env).toContainEqual({
        name: `${service.toUpperCase()}_PASSWORD`,
        valueFrom: { secretKeyRef: secret },
      })
      expect(find('Secret', '-redis').data[key]).toBeDefined()
      expect(find('ConfigMap', `-${service}`).data.REDIS_USERNAME).toBe(service)
      const { volumes } = find('Deployment', `-${service}`).spec.template.spec
      expect(JSON.stringify(volumes)).toContain(JSON.stringify([{ key, path: 'password' }]))
    }
    const rights = args.slice(args.indexOf('default') + 3, args.indexOf('payments') - 1)
    expect(rights).toContain('-@all')
    expect(rights.join(' ')).not.toMatch(/[~&]|allkeys|allchannels|\+@/)
  })

  it('writes nothing to disk and evicts the keys with the shortest TTL', () => {
    const { args } = of('redis default').find('Deployment').spec.template.spec.containers[0]
    expect(args.join(' ')).toContain('--save  --appendonly no --maxmemory 64mb')
    expect(args).toContain('volatile-ttl')
  })
})

const ingresses = (name: string): Manifest[] =>
  of(name).all.filter(({ kind }) => kind === 'Ingress')

describe('platform', () => {
  const PUBLIC = [
    'Exact /.well-known/jwks.json',
    ...[
      'audit',
      'keys',
      'login',
      'logout',
      'me',
      'password',
      'refresh',
      'register',
      'sessions',
    ].map((name) => `Exact /api/auth/${name}`),
    ...[
      'attempts',
      'events',
      'notifications',
      'operator-actions',
      'payments',
      'provider-messages',
      'webhook-endpoints',
    ].map((name) => `Exact /api/${name}`),
    ...['auth/keys', 'auth/merchants', 'auth/sessions', 'auth/users'].map(
      (name) => `Prefix /api/${name}/`,
    ),
    ...['attempts', 'deliveries', 'payments', 'provider-messages', 'webhook-endpoints'].map(
      (name) => `Prefix /api/${name}/`,
    ),
  ]

  it('exposes exactly the public routes by an Ingress', () => {
    const rules = ingresses('platform ingress').flatMap(({ spec }) => spec.rules as Manifest[])
    for (const name of ['a.test', 'b.test']) {
      const paths = rules
        .filter(({ host }) => host === name)
        .flatMap(({ http }): string[] =>
          http.paths.map((each: Manifest) => `${each.pathType} ${each.path}`),
        )
      expect(paths).toHaveLength(PUBLIC.length)
      expect(new Set(paths)).toEqual(new Set(PUBLIC))
    }
    expect(new Set(rules.map(({ host }) => host as string))).toEqual(new Set(['a.test', 'b.test']))
  })

  it('has no path with a dot in the Ingress of the other routes, since ingress-nginx would reject it', () => {
    for (const name of [
      'platform ingress',
      'platform any-host',
      'platform values-production.yaml',
    ]) {
      const paths = ingresses(name).map(({ spec }) =>
        spec.rules.flatMap(({ http }: Manifest) => http.paths.map(({ path }: Manifest) => path)),
      ) as string[][]
      expect(paths).toHaveLength(2)
      // The characters that strict path validation accepts.
      expect(paths[0]?.every((path) => /^[-/\w]+$/.test(path))).toBe(true)
      expect(new Set(paths[1])).toEqual(new Set(['/.well-known/jwks.json']))
    }
  })

  it('serves all routes with one certificate, which cert-manager manages by one Ingress', () => {
    const [main, wellKnown] = ingresses('platform ingress')
    expect(main.metadata.annotations).toEqual({ 'cert-manager.io/cluster-issuer': 'some' })
    expect(wellKnown.metadata.annotations).toBeUndefined()
    expect(wellKnown.spec.tls).toEqual(main.spec.tls)
    expect(wellKnown.spec.ingressClassName).toBe('traefik')
    expect(ingresses('platform named-secrets')[1].metadata.annotations).toEqual({
      'example.com/size': '1',
    })
  })

  it('accepts a wildcard host', () => {
    for (const { spec } of ingresses('platform named-secrets')) {
      expect(spec.rules[0].host).toBe('*.a.test')
    }
  })

  it('exposes the same routes by HTTPRoutes', () => {
    const routes = of('platform gateway').all.filter(({ kind }) => kind === 'HTTPRoute')
    const paths = routes.flatMap(({ spec }) =>
      spec.rules.flatMap((rule: Manifest) =>
        rule.matches.map(({ path }: Manifest) => `${path.type.replace('Path', '')} ${path.value}`),
      ),
    )
    expect(new Set(paths)).toEqual(new Set(PUBLIC))
  })

  it('routes to the configured port of a service', () => {
    const route = of('platform gateway-any-host').find('HTTPRoute', '-auth')
    expect(route.spec.rules[0].backendRefs[0].port).toBe(3100)
  })

  it('exposes nothing by default', () => {
    const kinds = of('platform default').all.map(({ kind }) => kind as string)
    expect(kinds).not.toContain('Ingress')
    expect(kinds).not.toContain('HTTPRoute')
  })

  it('denies all traffic that no policy allows', () => {
    expect(of('platform default').find('NetworkPolicy', '-deny-all').spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    })
  })

  it.each([
    { auth: { redis: { url: 'redis://a@one:6379' } } },
    { auth: { redis: { url: 'redis://one' } }, payments: { redis: { url: 'redis://two' } } },
    { payments: { redis: { sentinels: ['a:26379'], sentinelMaster: 'main' } } },
  ])('rejects services with different Redis servers: %j', async (values) => {
    const rendering = template('helm', charts, { chart: 'platform', files: [], values })
    await expect(rendering).rejects.toThrow(/auth.redis and payments.redis are different servers/)
  })

  it('accepts different users of one Redis, and payments without Redis', async () => {
    const auth = { redis: { url: 'redis://auth@one:6379' } }
    for (const url of ['redis://payments:secret@one:6379', '']) {
      const values = { redis: { enabled: false }, auth, payments: { redis: { url } } }
      await template('helm', charts, { chart: 'platform', files: [], values })
    }
  })

  it('rejects a gateway without parentRefs', async () => {
    const gateway = template(
      'helm',
      charts,
      { chart: 'platform', files: [] },
      '--set=edge.kind=gateway',
    )
    await expect(gateway).rejects.toThrow(/parentRefs/)
  })
})

describe('monitoring', () => {
  const MONITORS = ['ServiceMonitor', 'PodMonitor', 'PrometheusRule']

  it('is off by default', () => {
    for (const name of ['auth default', 'payments default', 'redis default', 'platform default']) {
      expect(of(name).all.filter(({ kind }) => MONITORS.includes(kind as string))).toEqual([])
    }
  })

  it('has the labels that a Prometheus selects', () => {
    const all = ['auth monitored', 'payments monitored', 'redis monitored'].flatMap((name) =>
      of(name).all.filter(({ kind }) => MONITORS.includes(kind as string)),
    )
    expect(all).toHaveLength(7)
    for (const { metadata } of all) expect(metadata.labels.release).toBe('prometheus')
  })

  it('selects the service, each instance of its database, and PgBouncer', () => {
    const { all, find } = of('payments pooled')
    const labels = find('Service').metadata.labels as Record<string, string>
    expect(labels).toMatchObject(find('ServiceMonitor').spec.selector.matchLabels)
    const podMonitors = all.filter(({ kind }) => kind === 'PodMonitor')
    expect(podMonitors.map(({ spec }) => spec.selector.matchLabels as object)).toEqual([
      { 'cnpg.io/cluster': 'release-payments-db', 'cnpg.io/podRole': 'instance' },
      { 'cnpg.io/poolerName': 'release-payments-db-pooler' },
    ])
  })

  it('renders every dashboard into a ConfigMap for Grafana’s sidecar, with links to the runbooks', () => {
    const files = readdirSync(new URL('../platform/files/dashboards/', import.meta.url))
    const maps = of('platform monitored').all.filter(
      ({ metadata }: Manifest) => metadata.labels.grafana_dashboard === '1',
    )
    expect(files.length).toBe(8)
    expect(maps).toHaveLength(files.length)
    for (const { data, metadata } of maps) {
      const [text] = Object.values(data as Record<string, string>)
      expect(JSON.parse(text ?? '').uid).toMatch(/^malipo-/)
      expect(text).not.toContain('RUNBOOKS')
      expect(metadata.annotations).toEqual({ grafana_folder: 'Malipo' })
    }
  })
})
