import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { check, needed } from '../checks.ts'
import { Namespace, run } from '../cluster.ts'
import type { Helm, Values } from '../helm.ts'
import { walkThrough } from './http.ts'
import { type Ground, type Service, SERVICES } from './platform.ts'

/**
 * Each service installed by itself, with a PostgreSQL and a Redis that were there before: a plain PostgreSQL
 * with one role for auth, and for payments one that owns the tables and one that works on them; and a Redis
 * with TLS, by its own chart.
 */

const DATABASE = 'postgres'
const CACHE = 'cache'
/** The chart's own name follows the release's. */
const REDIS = `${CACHE}-redis`

export async function checkExternal(
  namespace: Namespace,
  helm: Helm,
  ground: Ground,
): Promise<void> {
  await needed('external: a PostgreSQL and a Redis with TLS are there', async () => {
    await namespace.create()
    const passwords = { auth: word(), payments: word(), payments_owner: word() }
    await Promise.all([startPostgres(namespace, passwords), startRedis(namespace, helm, ground)])
  })
  await needed(`external: ${helm.name} installs auth and payments, each by itself`, async () => {
    await Promise.all(SERVICES.map((service) => install(namespace, helm, ground, service)))
  })
  for (const service of SERVICES) {
    await check(`external: helm test ${service}`, () => helm.test(namespace, service))
  }
  await check('external: a payment goes its way', async () => {
    const [auth, payments] = await Promise.all(SERVICES.map((each) => forward(namespace, each)))
    try {
      await walkThrough({ auth: auth?.address ?? '', payments: payments?.address ?? '' })
    } finally {
      auth?.child.kill()
      payments?.child.kill()
    }
  })
  await check('external: the tables of payments are not its own role’s', async () => {
    const owners = await psql(
      namespace,
      'SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = $$public$$',
    )
    if (owners !== 'payments_owner') throw new Error(owners)
  })
}

const word = () => randomBytes(16).toString('hex')

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
        password: word(),
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

const CONFINED = {
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
      securityContext: CONFINED,
      // While it is set up it listens on its socket only.
      readinessProbe: { exec: { command: ['pg_isready', '--host=127.0.0.1'] }, periodSeconds: 1 },
      resources: { requests: { memory: '64Mi' }, limits: { memory: '256Mi' } },
      volumeMounts: [
        { name: 'data', mountPath: '/var/lib/postgresql' },
        { name: 'roles', mountPath: '/docker-entrypoint-initdb.d' },
        // initdb wants a name for whoever runs it, and images differ in whom they know.
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

/** Redis by its own chart, with a certificate that was made just now. */
async function startRedis(namespace: Namespace, helm: Helm, { charts }: Ground): Promise<void> {
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
  const callers = [{ podSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'malipo' } } }]
  await helm.deploy(namespace, CACHE, `${charts}/redis`, {
    values: {
      tls: { existingSecret: 'cache-tls' },
      networkPolicy: { from: callers },
      resources: { requests: { cpu: '5m', memory: '32Mi' }, limits: { memory: '64Mi' } },
    },
  })
}

async function install(namespace: Namespace, helm: Helm, { charts }: Ground, service: Service) {
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

/** A free port of this machine that leads to a service. */
async function forward({ name }: Namespace, service: Service) {
  const target = `service/${service}-${service}`
  const port = service === 'auth' ? 3002 : 4000
  const child: ChildProcess = spawn(
    'kubectl',
    ['--namespace', name, 'port-forward', target, `:${port}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  if (!child.stdout) throw new Error('kubectl says nothing')
  for await (const line of createInterface(child.stdout)) {
    const [, address] = /from (127\.0\.0\.1:\d+)/.exec(line) ?? []
    if (address) return { child, address: `http://${address}` }
  }
  throw new Error(`${target} can't be forwarded`)
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
