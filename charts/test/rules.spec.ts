import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCharts } from '../../e2e/helm.ts'
import { allCases, type Manifest, render, type Rendering, template } from './render.ts'

/** Rules for the rendered services: for every set of values, and for single settings. */

let charts = ''
const renderings = new Map<string, Rendering>()
const CASES = allCases()

beforeAll(async () => {
  charts = await packCharts()
  for (const each of CASES)
    renderings.set(`${each.chart} ${each.name}`, await render('helm', charts, each))
})
afterAll(() => rm(charts, { recursive: true }))

const of = (name: string): Rendering => {
  const found = renderings.get(name)
  if (!found) throw new Error(`no such case: ${name}`)
  return found
}

/** The pod specs of a rendering, with the kind and name of their objects. */
function podsOf({ all }: Rendering): { name: string; spec: Manifest }[] {
  return all
    .filter(({ kind }) => ['Deployment', 'CronJob', 'Pod'].includes(kind as string))
    .map(({ kind, metadata, spec }) => {
      const { template } = kind === 'CronJob' ? spec.jobTemplate.spec : spec
      return { name: `${kind} ${metadata.name}`, spec: kind === 'Pod' ? spec : template.spec }
    })
}

const containersOf = (spec: Manifest): Manifest[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
]

describe.each(CASES)('$chart: $name', ({ chart, name }) => {
  it('mounts no service account token', () => {
    for (const { spec } of podsOf(of(`${chart} ${name}`))) {
      expect(spec.automountServiceAccountToken).toBe(false)
    }
  })

  it('satisfies the restricted Pod Security Standard, with a read-only file system except in development', () => {
    for (const { spec } of podsOf(of(`${chart} ${name}`))) {
      expect(spec.securityContext.runAsNonRoot).toBe(true)
      expect(spec.securityContext.seccompProfile).toEqual({ type: 'RuntimeDefault' })
      for (const container of containersOf(spec)) {
        expect(container.securityContext).toMatchObject({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: name !== 'dev',
          capabilities: { drop: ['ALL'] },
        })
        expect(container.resources.requests.memory).toBeDefined()
        expect(container.resources.limits.memory).toBeDefined()
      }
    }
  })

  it('puts no secret into a ConfigMap', () => {
    for (const config of of(`${chart} ${name}`).all.filter(({ kind }) => kind === 'ConfigMap')) {
      for (const key of Object.keys(config.data)) expect(key).not.toMatch(/PASSWORD$|SECRETS?$/)
    }
  })

  it('names peers and ports in every NetworkPolicy rule', () => {
    const policies = of(`${chart} ${name}`).all.filter(({ kind }) => kind === 'NetworkPolicy')
    for (const { spec } of policies) {
      expect(spec.policyTypes).toEqual(['Ingress', 'Egress'])
      for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
        expect(rule.from ?? rule.to).not.toHaveLength(0)
        expect(rule.ports).not.toHaveLength(0)
      }
    }
  })

  it('keeps Clusters and generated Secrets on uninstall', () => {
    for (const { kind, metadata } of of(`${chart} ${name}`).all) {
      if (kind !== 'Cluster' && kind !== 'Secret') continue
      expect(metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' })
    }
  })

  it('labels every object with its release and as part of malipo', () => {
    for (const { metadata } of of(`${chart} ${name}`).all) {
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/instance': 'release',
        'app.kubernetes.io/part-of': 'malipo',
      })
    }
  })
})

describe.each(['auth', 'payments'])('%s', (service) => {
  const container = (name: string): Manifest =>
    of(`${service} ${name}`).find('Deployment').spec.template.spec.containers[0]

  it('probes liveness and readiness by separate endpoints', () => {
    const { livenessProbe, readinessProbe, startupProbe } = container('default')
    expect(livenessProbe.httpGet.path).toBe('/health/live')
    expect(startupProbe.httpGet.path).toBe('/health/live')
    expect(readinessProbe.httpGet.path).toBe('/health/ready')
  })

  it('restarts on changed files in development, without a liveness probe that would kill a paused debugger', () => {
    const { args, livenessProbe, startupProbe } = container('dev')
    expect(args).toContain('--watch-path=dist')
    expect(livenessProbe ?? startupProbe).toBeUndefined()
    expect(container('default').args).not.toContain('--watch-path=dist')
  })

  it('rolls out without unavailable pods', () => {
    expect(of(`${service} default`).find('Deployment').spec.strategy.rollingUpdate).toEqual({
      maxUnavailable: 0,
      maxSurge: 1,
    })
  })

  it('requests the documented CPU and memory', () => {
    expect(container('default').resources).toEqual({
      requests: { cpu: '250m', memory: '128Mi' },
      limits: { memory: '256Mi' },
    })
  })

  it('has a termination grace period longer than the longest drain plus database wait', () => {
    const { data } = of(`${service} default`).find('ConfigMap')
    const grace = of(`${service} default`).find('Deployment').spec.template.spec
      .terminationGracePeriodSeconds as number
    expect(grace * 1000).toBeGreaterThan(
      4 * Number(data.SHUTDOWN_DRAIN_MS) + Number(data.DB_WAIT_MS),
    )
  })

  it('has a PodDisruptionBudget by default', () => {
    expect(of(`${service} default`).find('PodDisruptionBudget').spec.maxUnavailable).toBe(1)
    expect(of(`${service} minimal`).find('PodDisruptionBudget')).toBeUndefined()
  })

  it('sets no replicas when autoscaling is enabled', () => {
    const { find } = of(`${service} production`)
    expect(find('Deployment').spec.replicas).toBeUndefined()
    expect(find('HorizontalPodAutoscaler').spec.scaleTargetRef.name).toBe('named')
    expect(of(`${service} default`).find('HorizontalPodAutoscaler')).toBeUndefined()
  })

  it('rolls the pods when a setting changes', () => {
    const checksum = (name: string) =>
      of(`${service} ${name}`).find('Deployment').spec.template.metadata.annotations[
        'checksum/config'
      ]
    expect(checksum('default')).not.toBe(checksum('restored'))
    expect(checksum('default')).toBe(checksum('monitored'))
  })

  it('replicates synchronously only with several instances', () => {
    expect(of(`${service} default`).find('Cluster').spec.postgresql.synchronous).toBeUndefined()
    expect(
      of(`${service} restored-latest`).find('Cluster').spec.postgresql.synchronous,
    ).toBeUndefined()
    expect(of(`${service} production`).find('Cluster').spec.postgresql.synchronous).toEqual({
      method: 'any',
      number: 1,
      dataDurability: 'required',
      failoverQuorum: true,
    })
  })

  it('rejects database connections without TLS', () => {
    const { spec } = of(`${service} default`).find('Cluster')
    expect(spec.postgresql.pg_hba).toEqual(['hostnossl all all all reject'])
    const { data } = of(`${service} default`).find('ConfigMap')
    expect(data).toMatchObject({ DB_SSL: 'true', DB_SSL_CA_FILE: '/secrets/database/ca.crt' })
  })

  it('archives WAL and schedules base backups', () => {
    const { find } = of(`${service} production`)
    expect(find('Cluster').spec.plugins[0]).toMatchObject({ isWALArchiver: true })
    expect(find('ObjectStore').spec.configuration.destinationPath).toBe('s3://backups/malipo')
    expect(find('ScheduledBackup').spec).toMatchObject({ method: 'plugin', immediate: true })
    expect(find('ScheduledBackup').spec.cluster.name).toBe(find('Cluster').metadata.name)
    expect(of(`${service} default`).find('ObjectStore')).toBeUndefined()
  })

  it('recovers from the archive, to a point in time or to the latest', () => {
    const { bootstrap, externalClusters, plugins } = of(`${service} restored`).find('Cluster').spec
    expect(bootstrap.recovery.recoveryTarget).toEqual({ targetTime: '2026-01-31 12:00:00+00' })
    expect(externalClusters[0].plugin.parameters.serverName).toBe('first')
    expect(plugins).toBeUndefined()
    const newest = of(`${service} restored-latest`).find('Cluster').spec.bootstrap
    expect(newest.recovery.recoveryTarget).toBeUndefined()
    expect(newest.initdb).toBeUndefined()
  })

  it('connects through the pooler, whose name is in the certificate, and migrates without it', () => {
    const { find } = of(`${service} pooled`)
    const name = `release-${service}-db`
    expect(find('Pooler').spec).toMatchObject({
      cluster: { name },
      pgbouncer: { poolMode: 'transaction' },
    })
    expect(find('ConfigMap').data.DB_HOST).toBe(`${name}-pooler`)
    expect(find('Cluster').spec.certificates.serverAltDNSNames).toContain(`${name}-pooler`)
    const migrate = find('Deployment').spec.template.spec.initContainers[0]
    expect(migrate.env).toContainEqual({ name: 'DB_HOST', value: `${name}-rw` })
  })

  it('creates ExternalSecrets instead of Secrets', () => {
    const { all, find } = of(`${service} secrets`)
    expect(all.filter(({ kind }) => kind === 'Secret')).toEqual([])
    const external = all.filter(({ kind }) => kind === 'ExternalSecret')
    expect(external).toHaveLength(service === 'auth' ? 3 : 2)
    const role = find('ExternalSecret', '-db-service')
    expect(role.spec.target.template.type).toBe('kubernetes.io/basic-auth')
    expect(role.spec.data.map((each: Manifest) => each.secretKey)).toEqual(['password', 'username'])
  })

  it('creates neither a Cluster nor a Secret for an external database', () => {
    const { all, find } = of(`${service} external`)
    expect(all.some(({ kind }) => ['Cluster', 'Secret'].includes(kind))).toBe(false)
    expect(find('ConfigMap').data).toMatchObject({ DB_HOST: 'postgres.test', DB_NAME: 'other' })
  })

  it('authenticates to Redis and its Sentinels with users and passwords from Secrets', () => {
    const { find } = of(`${service} sentinels`)
    expect(find('ConfigMap').data).toMatchObject({
      REDIS_SENTINELS: 'a:26379,[fd00::2]:26379',
      REDIS_SENTINEL_MASTER: 'main',
      REDIS_SENTINEL_PASSWORD_FILE: '/secrets/redis/sentinel-password',
      REDIS_PASSWORD_FILE: '/secrets/redis/password',
    })
    const { containers, volumes } = find('Deployment').spec.template.spec
    const from = (name: string) => ({ secretKeyRef: { name, key: 'username' } })
    const { env } = containers[0]
    expect(env).toContainEqual({ name: 'REDIS_USERNAME', valueFrom: from('release-cache') })
    expect(env).toContainEqual({ name: 'REDIS_SENTINEL_USERNAME', valueFrom: from('sentinels') })
    const { projected } = volumes.find((each: Manifest) => each.name === 'redis')
    expect(projected.sources.map(({ secret }: Manifest) => secret)).toEqual([
      { name: 'release-cache', items: [{ key: 'password', path: 'password' }] },
      { name: 'sentinels', items: [{ key: 'password', path: 'sentinel-password' }] },
      { name: 'redis-ca', items: [{ key: 'ca.crt', path: 'ca.crt' }] },
    ])
  })

  it('takes the users of Redis and its Sentinels from values, too', () => {
    expect(of(`${service} sentinel-users`).find('ConfigMap').data).toMatchObject({
      REDIS_USERNAME: 'malipo',
      REDIS_SENTINEL_USERNAME: 'watcher',
    })
  })

  it('connects to Redis by URL with TLS, or by Sentinels', () => {
    expect(of(`${service} production`).find('ConfigMap').data).toMatchObject({
      REDIS_URL: 'rediss://redis:6379',
      REDIS_PASSWORD_FILE: '/secrets/redis/password',
      REDIS_CA_FILE: '/secrets/redis/ca.crt',
    })
    const { data } = of(`${service} restored`).find('ConfigMap')
    expect(data).toMatchObject({
      REDIS_SENTINELS: 'a:26379,b:26379',
      REDIS_SENTINEL_MASTER: 'main',
    })
    expect(data.REDIS_URL).toBeUndefined()
  })

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

  it.each([
    [
      'an external database without a host',
      { database: { kind: 'external' }, networkPolicy: { enabled: false } },
      /database.external.host/,
    ],
    [
      'an external database without peers',
      { database: { kind: 'external', external: { host: 'a', existingSecret: 'b' } } },
      /networkPolicy.database is empty/,
    ],
    [
      'a policy without peers of the operator',
      { networkPolicy: { operator: [] } },
      /networkPolicy.operator is empty/,
    ],
    [
      'a policy without CIDRs of the API server',
      { networkPolicy: { apiServer: { cidrs: [] } } },
      /apiServer.cidrs is empty/,
    ],
    [
      'a trace collector without peers',
      { tracing: { endpoint: 'http://collector:4318' } },
      /networkPolicy.collector is empty/,
    ],
    [
      'a policy without ports of DNS',
      { networkPolicy: { dnsPorts: [] } },
      /networkPolicy.dnsPorts is empty/,
    ],
    [
      'Sentinels without the name of their master',
      { redis: { sentinels: ['a:26379'] } },
      /redis.sentinelMaster is required with redis.sentinels/,
    ],
    [
      'a CA certificate of Redis without TLS',
      { redis: { url: 'redis://cache:6379', caSecret: 'ca' } },
      /redis.caSecret contradicts redis:\/\//,
    ],
    [
      'a CA certificate of a database without TLS',
      {
        networkPolicy: { enabled: false },
        database: {
          kind: 'external',
          external: { host: 'a', existingSecret: 'b', tls: { enabled: false, caSecret: 'ca' } },
        },
      },
      /caSecret contradicts database.external.tls.enabled/,
    ],
    ['a policy without peers of DNS', { networkPolicy: { dns: [] } }, /networkPolicy.dns is empty/],
    [
      'more pods than max_connections allows',
      { autoscaling: { enabled: true, maxReplicas: 30 } },
      /30 pods with 8 connections need 268/,
    ],
    [
      'larger pools than max_connections allows',
      { replicas: 4, database: { poolMax: 50 } },
      /4 pods with 50 connections need 270/,
    ],
    [
      'backups without a destination',
      { database: { backup: { enabled: true } } },
      /database.backup.destinationPath/,
    ],
    [
      'a restore without a server name',
      { database: { restore: { enabled: true }, backup: { destinationPath: 's3://a' } } },
      /database.restore.serverName/,
    ],
  ])('rejects %s', async (_, values, message) => {
    await expect(rendered(service, values)).rejects.toThrow(message)
  })

  it('allows more pods behind a pooler', async () => {
    const values = { replicas: 40, database: { pooler: { enabled: true } } }
    expect(await rendered(service, values)).toContain('replicas: 40')
  })
})

function rendered(chart: string, values: object): Promise<string> {
  const flags = Object.entries(values).flatMap(([key, value]) => [
    '--set-json',
    `${key}=${JSON.stringify(value)}`,
  ])
  return template('helm', charts, { chart, files: [] }, ...flags)
}
