import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCharts } from '../../e2e/helm.ts'
import { allCases, containersOf, type Manifest, podsOf, render, type Rendering } from './render.ts'

/** What a platform decides: security contexts, DNS, volumes, addresses, probes and resources. */

const NAMES = ['adapted', 'default', 'production']
let charts = ''
const renderings = new Map<string, Rendering>()

beforeAll(async () => {
  charts = await packCharts()
  for (const each of allCases().filter(({ name }) => NAMES.includes(name)))
    renderings.set(`${each.chart} ${each.name}`, await render('helm', charts, each))
})
afterAll(() => rm(charts, { recursive: true }))

const of = (name: string): Rendering => {
  const found = renderings.get(name)
  if (!found) throw new Error(`no such case: ${name}`)
  return found
}

describe.each(['auth', 'payments'])('%s', (service) => {
  it('drops a field of a security context that is null, in every pod', () => {
    const pods = podsOf(of(`${service} adapted`))
    expect(pods.map(({ name }) => name)).toContain(`Pod release-${service}-test`)
    for (const { spec } of pods) {
      expect(spec.securityContext).toEqual({
        runAsNonRoot: true,
        fsGroup: 1_000_680_000,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      })
      for (const { securityContext } of containersOf(spec)) {
        expect(securityContext).toMatchObject({ runAsNonRoot: true, readOnlyRootFilesystem: true })
      }
    }
    for (const value of Object.values(
      of(`${service} default`).find('Deployment').spec.template.spec.securityContext,
    )) {
      expect(value).not.toBeNull()
    }
  })

  it('sets the security contexts of the database and of PgBouncer', () => {
    const { find } = of(`${service} adapted`)
    expect(find('Cluster').spec).toMatchObject({
      podSecurityContext: { runAsUser: 1_000_680_000, fsGroup: 1_000_680_000 },
      securityContext: { runAsNonRoot: true },
    })
    const { securityContext, containers } = find('Pooler').spec.template.spec
    expect(securityContext).toEqual({ runAsUser: 1_000_680_000 })
    expect(containers[0].securityContext).toEqual({ runAsNonRoot: true })
    expect(of(`${service} default`).find('Cluster').spec).not.toHaveProperty('podSecurityContext')
  })

  it('adapts to DNS, hosts, volumes, certificates and probes of a platform', () => {
    const { find } = of(`${service} adapted`)
    const { spec } = find('Deployment').spec.template
    expect(spec.dnsConfig.options).toEqual([{ name: 'ndots', value: '2' }])
    expect(spec.hostAliases).toEqual([{ ip: '10.1.2.3', hostnames: ['collector.test'] }])
    expect(find('ConfigMap').data.NODE_EXTRA_CA_CERTS).toBe('/secrets/ca/ca.crt')
    const volumes = spec.volumes as Manifest[]
    expect(volumes.find(({ name }) => name === 'ca').projected.sources).toEqual([
      { configMap: { name: 'trusted-ca', items: [{ key: 'ca-bundle.crt', path: 'ca.crt' }] } },
    ])
    expect(volumes.find(({ name }) => name === 'scratch').emptyDir.medium).toBe('Memory')
    for (const { volumeMounts } of containersOf(spec)) {
      const paths = volumeMounts.map(({ mountPath }: Manifest) => mountPath as string)
      expect(paths).toEqual(expect.arrayContaining(['/scratch', '/secrets/ca']))
    }
    const [{ startupProbe, livenessProbe, readinessProbe }] = spec.containers
    expect(startupProbe).toMatchObject({ periodSeconds: 1, failureThreshold: 300 })
    expect(livenessProbe).not.toHaveProperty('timeoutSeconds')
    expect(readinessProbe.initialDelaySeconds).toBe(5)
  })

  it('has the Service’s type, annotations and address families', () => {
    const { metadata, spec } = of(`${service} adapted`).find('Service')
    expect(metadata.annotations).toEqual({ 'example.com/internal': 'true' })
    expect(spec).toMatchObject({
      type: 'LoadBalancer',
      ipFamilyPolicy: 'PreferDualStack',
      ipFamilies: ['IPv6', 'IPv4'],
    })
  })

  it('has the resources of the test pod and of the backup sidecar', () => {
    const { find } = of(`${service} adapted`)
    expect(find('Pod').spec.containers[0].resources).toEqual({
      requests: { cpu: '50m', memory: '48Mi' },
      limits: { cpu: '100m', memory: '96Mi' },
    })
    const { resources } = find('ObjectStore').spec.instanceSidecarConfiguration
    expect(resources.limits).toEqual({ memory: '256Mi' })
  })

  it('trusts the CA certificate of the object store', () => {
    const { configuration } = of(`${service} adapted`).find('ObjectStore').spec
    expect(configuration.endpointCA).toEqual({ name: 'object-store-ca', key: 'ca.crt' })
  })

  it('allows DNS on each of its ports, for the service and for its database', () => {
    const policies = of(`${service} adapted`).all.filter(({ kind }) => kind === 'NetworkPolicy')
    expect(policies).toHaveLength(2)
    for (const { spec } of policies) {
      expect(spec.egress[0].ports).toEqual(
        [53, 5353].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ port, protocol }))),
      )
    }
  })

  it('allows the API server and the object store by IPv4 and IPv6', () => {
    const { egress } = of(`${service} production`).find('NetworkPolicy', '-db').spec
    const everywhere = ['0.0.0.0/0', '::/0'].map((cidr) => ({ ipBlock: { cidr } }))
    const byPort = (port: number) =>
      egress.find((rule: Manifest) => rule.ports.some((each: Manifest) => each.port === port)).to
    expect(byPort(6443)).toEqual(everywhere)
    expect(egress.at(-1)).toEqual({ ports: [{ port: 443 }], to: everywhere })
  })
})
