import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Namespace, run } from '../cluster.ts'
import type { Helm } from '../helm.ts'
import type { Environment } from './platform.ts'

/** The PostgreSQL and Redis of the installation that uses external servers. */

export const DATABASE = 'postgres'
export const CACHE = 'cache'
/** `<release>-<chart>` */
export const REDIS = `${CACHE}-redis`

const randomPassword = () => randomBytes(16).toString('hex')

/** Starts PostgreSQL with the databases and roles of both services, and writes the passwords into Secrets. */
export async function startPostgres(namespace: Namespace) {
  const passwords = {
    auth: randomPassword(),
    payments: randomPassword(),
    payments_owner: randomPassword(),
  }
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
export async function startRedis(
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
