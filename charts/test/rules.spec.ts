import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCharts } from '../../e2e/helm.ts'
import { allCases, containersOf, type Manifest, podsOf, render, type Rendering } from './render.ts'

/** Rules for the rendered services: for every set of values, and for single settings. */

let charts = ''
const renderings = new Map<string, Rendering>()
const CASES = allCases()

beforeAll(async () => {
  charts = await packCharts()
  for (const each of CASES)
    renderings.set(`${each.chart} ${each.name}`, await render('helm', charts, each))
}, 300_000)
afterAll(() => rm(charts, { recursive: true }))

const of = (name: string): Rendering => {
  const found = renderings.get(name)
  if (!found) throw new Error(`no such case: ${name}`)
  return found
}

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

  it('keeps Clusters and generated Secrets on uninstall, and Clusters if Argo CD prunes', () => {
    for (const { kind, metadata } of of(`${chart} ${name}`).all) {
      if (kind !== 'Cluster' && kind !== 'Secret') continue
      expect(metadata.annotations).toEqual({
        'helm.sh/resource-policy': 'keep',
        ...(kind === 'Cluster' && {
          'argocd.argoproj.io/sync-options': 'Prune=false,Delete=false',
        }),
      })
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
    const [request, limit] = service === 'auth' ? ['128Mi', '256Mi'] : ['192Mi', '320Mi']
    expect(container('default').resources).toEqual({
      requests: { cpu: '250m', memory: request },
      limits: { memory: limit },
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
    expect(external).toHaveLength(service === 'auth' ? 3 : 4)
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
})
