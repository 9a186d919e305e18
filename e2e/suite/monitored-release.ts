import type { Helm } from '../helm.ts'
import { type Environment, Platform, RELEASE } from './platform.ts'
import { TRACED_VALUES } from './tracing.ts'

/** A release with monitoring, tracing and backups. */

const MONITORING_NAMESPACE = process.env.E2E_MONITORING_NAMESPACE ?? 'monitoring'
const S3 = process.env.E2E_S3 ?? 'http://s3.object-store:9000'

const MONITORING = {
  interval: '5s',
  timeout: '5s',
  enabled: true,
  rules: { for: { page: '30s', ticket: '1m' }, window: '1m' },
  // Two cores that run the whole suite are slow, so latency is not tested here.
  thresholds: { eventLoopLagSeconds: 5 },
}

/** An objective with a relaxed latency, for the same reason. */
const objective = (name: string, method: string, ...routes: string[]) => {
  return { name, method, routes, availablePercent: 99, seconds: '10', inTimePercent: 90 }
}

const OBJECTIVES = {
  auth: [objective('login', 'POST', '/api/auth/login')],
  payments: [
    objective('create', 'POST', '/api/payments'),
    objective('read', 'GET', '/api/payments/:reference'),
    objective('transition', 'POST', '/api/payments/:reference/status'),
  ],
}

/** A new path for each run: WAL archiving fails if the archive already contains another cluster's WAL. */
const BACKUP = {
  enabled: true,
  destinationPath: `s3://backups/e2e-monitoring-${Date.now()}`,
  endpointURL: S3,
  existingSecret: 'backups',
  sidecarEnv: ['REQUEST_CHECKSUM_CALCULATION', 'RESPONSE_CHECKSUM_VALIDATION'].map((name) => ({
    name: `AWS_${name}`,
    value: 'when_required',
  })),
}

/** The Secret with the credentials of the object store. */
export const BACKUP_SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'backups' },
  stringData: {
    ACCESS_KEY_ID: process.env.E2E_S3_KEY ?? 'lab',
    SECRET_ACCESS_KEY: process.env.E2E_S3_SECRET ?? 'lab-secret',
  },
}

export function monitoredPlatform(namespace: string, helm: Helm, environment: Environment) {
  const prometheus = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': MONITORING_NAMESPACE } },
  }
  const service = (name: keyof typeof OBJECTIVES) => ({
    replicas: 2,
    tracing: TRACED_VALUES.tracing,
    monitoring: { ...MONITORING, objectives: OBJECTIVES[name] },
    networkPolicy: {
      ...TRACED_VALUES.networkPolicy,
      prometheus: [prometheus],
      objectStore: { ports: [9000] },
    },
    database: { backup: BACKUP },
  })
  const services = { auth: service('auth'), payments: service('payments') }
  return new Platform(namespace, helm, environment, { ...services, dashboards: { enabled: true } })
}

/** Label matchers of the release's series. */
export const seriesOf = ({ namespace }: Platform) =>
  `namespace="${namespace.name}",release="${RELEASE}"`
