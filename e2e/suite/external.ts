import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { check, mustPass } from '../checks.ts'
import { Namespace, run } from '../cluster.ts'
import type { Helm, Values } from '../helm.ts'
import { walkThrough } from './http.ts'
import { type Environment, type Service, SERVICES } from './platform.ts'

/**
 * Each service installed separately, with an external PostgreSQL and Redis. auth uses one database role; payments uses
 * an owner for migrations and another role at run time. Redis is installed by its chart, with TLS.
 */

const DATABASE = 'postgres'
const CACHE = 'cache'
/** `<release>-<chart>` */
const REDIS = `${CACHE}-redis`

export async function checkExternal(
  namespace: Namespace,
  helm: Helm,
  environment: Environment,
): Promise<void> {
  await mustPass('external: starts PostgreSQL and Redis with TLS', async () => {
    await namespace.create()
    const passwords = {
      auth: randomPassword(),
      payments: randomPassword(),
      payments_owner: randomPassword(),
    }
    await Promise.all([
      startPostgres(namespace, passwords),
      startRedis(namespace, helm, environment),
    ])
  })
  await mustPass(`external: ${helm.name} installs auth and payments separately`, async () => {
    await Promise.all(SERVICES.map((service) => install(namespace, helm, environment, service)))
  })
  for (const service of SERVICES) {
    await check(`external: helm test ${service}`, () => helm.test(namespace, service))
  }
  await check('external: the walk-through succeeds', async () => {
    const [auth, payments] = await Promise.all(SERVICES.map((each) => portForward(namespace, each)))
    try {
      await walkThrough({ auth: auth?.address ?? '', payments: payments?.address ?? '' })
    } finally {
      auth?.child.kill()
      payments?.child.kill()
    }
  })
  await check('external: the run-time role of payments owns no tables', async () => {
    const owners = await psql(
      namespace,
      'SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = $$public$$',
    )
    if (owners !== 'payments_owner') throw new Error(owners)
  })
}

const randomPassword = () => randomBytes(16).toString('hex')

async function startPostgres(namespace: Namespace, passwords: Readonly<Record<string, string>>) {
  const roles = Object.entries(passwords).map(
    ([role, password]) => `CREATE ROLE ${role} LOGIN PASSWORD '${password}';`,
  )
  const databases = [
    'CREATE DATABASE auth OWNER auth;',
    'CREATE DATABASE payments OWNER payments_owner;',
  ]
  const labels = { app: DATABASE }
  await namespace.apply(
    ...Object.entries(passwords).map(([username, password]) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `db-${username.replace('_', '-')}` },
      stringData: { username, password },
    })),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'roles' },
      stringData: {
        'roles.sql': [...roles, ...databases].join('\n'),
        password: randomPassword(),
        passwd: 'postgres:x:999:999::/var/lib/postgresql:/bin/bash\n',
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: DATABASE },
      spec: { selector: labels, ports: [{ port: 5432 }] },
    },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: DATABASE, labels }, spec: POSTGRES },
  )
  await namespace.kubectl(['wait', `pod/${DATABASE}`, '--for=condition=Ready', '--timeout=55s'])
}

const RESTRICTED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
}

const POSTGRES = {
  automountServiceAccountToken: false,
  terminationGracePeriodSeconds: 5,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 999,
    fsGroup: 999,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  containers: [
    {
      name: 'postgres',
      image: 'postgres:18',
      imagePullPolicy: 'IfNotPresent',
      env: [
        {
          name: 'POSTGRES_PASSWORD',
          valueFrom: { secretKeyRef: { name: 'roles', key: 'password' } },
        },
      ],
      securityContext: RESTRICTED,
      // Over TCP: during initialization the server listens only on a socket.
      readinessProbe: { exec: { command: ['pg_isready', '--host=127.0.0.1'] }, periodSeconds: 1 },
      resources: { requests: { memory: '64Mi' }, limits: { memory: '256Mi' } },
      volumeMounts: [
        { name: 'data', mountPath: '/var/lib/postgresql' },
        { name: 'roles', mountPath: '/docker-entrypoint-initdb.d' },
        // initdb needs a user name for the uid, which not every image has.
        { name: 'passwd', mountPath: '/etc/passwd', subPath: 'passwd' },
      ],
    },
  ],
  volumes: [
    { name: 'data', emptyDir: {} },
    {
      name: 'roles',
      secret: { secretName: 'roles', items: [{ key: 'roles.sql', path: 'roles.sql' }] },
    },
    {
      name: 'passwd',
      secret: { secretName: 'roles', items: [{ key: 'passwd', path: 'passwd' }] },
    },
  ],
}

/** Installs Redis by its chart, with a new certificate. */
async function startRedis(
  namespace: Namespace,
  helm: Helm,
  { charts }: Environment,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'malipo-tls-'))
  const at = (file: string) => join(folder, file)
  try {
    const subject = ['-subj', `/CN=${REDIS}`, '-addext', `subjectAltName=DNS:${REDIS}`]
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2']
    await run('openssl', [
      'req',
      '-x509',
      ...key,
      ...subject,
      '-keyout',
      at('key'),
      '-out',
      at('crt'),
    ])
    const [crt, tlsKey] = await Promise.all([
      readFile(at('crt'), 'utf8'),
      readFile(at('key'), 'utf8'),
    ])
    await namespace.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cache-tls' },
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': crt, 'tls.key': tlsKey, 'ca.crt': crt },
    })
  } finally {
    await rm(folder, { recursive: true })
  }
  const clients = [{ podSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'malipo' } } }]
  await helm.deploy(namespace, CACHE, `${charts}/redis`, {
    values: {
      tls: { existingSecret: 'cache-tls' },
      networkPolicy: { from: clients },
      resources: { requests: { cpu: '5m', memory: '32Mi' }, limits: { memory: '64Mi' } },
    },
  })
}

async function install(
  namespace: Namespace,
  helm: Helm,
  { charts }: Environment,
  service: Service,
) {
  const isPayments = service === 'payments'
  const external: Values = {
    host: DATABASE,
    existingSecret: `db-${service}`,
    ownerSecret: isPayments ? 'db-payments-owner' : '',
    tls: { enabled: false },
  }
  const resources = { requests: { cpu: '5m', memory: '128Mi' }, limits: { memory: '256Mi' } }
  await helm.deploy(namespace, service, `${charts}/${service}`, {
    values: {
      mode: 'sandbox',
      image: { tag: 'dev' },
      replicas: 1,
      resources,
      migrationResources: resources,
      database: { kind: 'external', external },
      redis: { url: `rediss://${REDIS}:6379`, existingSecret: REDIS, caSecret: 'cache-tls' },
      networkPolicy: {
        database: [{ podSelector: { matchLabels: { app: DATABASE } } }],
        redis: [{ podSelector: { matchLabels: { 'app.kubernetes.io/instance': CACHE } } }],
      },
      ...(isPayments ? { authUrl: 'http://auth-auth:3002' } : {}),
    },
  })
}

/** Forwards a free local port to a service. */
async function portForward({ name }: Namespace, service: Service) {
  const target = `service/${service}-${service}`
  const port = service === 'auth' ? 3002 : 4000
  const child: ChildProcess = spawn(
    'kubectl',
    ['--namespace', name, 'port-forward', target, `:${port}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  if (!child.stdout) throw new Error('kubectl has no standard output')
  for await (const line of createInterface(child.stdout)) {
    const [, address] = /from (127\.0\.0\.1:\d+)/.exec(line) ?? []
    if (address) return { child, address: `http://${address}` }
  }
  throw new Error(`kubectl port-forward to ${target} failed`)
}

async function psql(namespace: Namespace, query: string): Promise<string> {
  const program = [
    'psql',
    '--username=postgres',
    '--dbname=payments',
    '--tuples-only',
    '--no-align',
  ]
  return (await namespace.exec(DATABASE, [...program, '--command', query])).trim()
}
