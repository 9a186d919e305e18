import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { check, mustPass } from '../checks.ts'
import type { Namespace } from '../cluster.ts'
import type { Helm, Values } from '../helm.ts'
import { CACHE, DATABASE, REDIS, startPostgres, startRedis } from './external-servers.ts'
import { walkThrough } from './http.ts'
import { type Environment, type Service, SERVICES } from './platform.ts'

/**
 * Each chart installed separately, with an external PostgreSQL and Redis. auth uses one database role; payments uses an
 * owner for migrations and another role at run time. Redis is installed by its chart, with TLS. payments has one account,
 * at the simulator.
 */

const ACCOUNT = 'mtn-ug-sim'
/** `<release>-<chart>` */
const SIMULATOR = 'simulator-simulator'

export async function checkExternal(
  namespace: Namespace,
  helm: Helm,
  environment: Environment,
): Promise<void> {
  await mustPass('external: starts PostgreSQL and Redis with TLS', async () => {
    await namespace.create()
    await Promise.all([startPostgres(namespace), startRedis(namespace, helm, environment)])
  })
  await mustPass(`external: ${helm.name} installs auth and payments separately`, async () => {
    await installSimulator(namespace, helm, environment)
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
      redis: {
        url: `rediss://${REDIS}:6379`,
        username: service,
        existingSecret: REDIS,
        passwordKey: `${service}-password`,
        caSecret: 'cache-tls',
      },
      networkPolicy: {
        database: [{ podSelector: { matchLabels: { app: DATABASE } } }],
        redis: [{ podSelector: { matchLabels: { 'app.kubernetes.io/instance': CACHE } } }],
        ...(isPayments ? { from: [PODS_OF_SIMULATOR] } : {}),
      },
      ...(isPayments
        ? { authUrl: 'http://auth-auth:3002', providers: { accounts: [await account(charts)] } }
        : {}),
    },
  })
}

const PODS_OF_SIMULATOR = {
  podSelector: { matchLabels: { 'app.kubernetes.io/name': 'simulator' } },
}

async function installSimulator(namespace: Namespace, helm: Helm, { charts }: Environment) {
  await helm.deploy(namespace, 'simulator', `${charts}/simulator`, {
    values: {
      image: { tag: 'dev' },
      paymentsUrl: 'http://payments-payments:4000',
      book: { persistent: false },
    },
  })
}

/** The account of the values of payments, as an operator would write it. */
async function account(charts: string): Promise<Values> {
  const text = await readFile(`${charts}/simulator/files/providers.json`, 'utf8')
  const { accounts } = JSON.parse(text) as { accounts: readonly Values[] }
  return {
    ...accounts.find(({ name }) => name === ACCOUNT),
    baseUrl: `http://${SIMULATOR}:4100`,
    callbackOrigin: 'http://payments-payments:4000',
    secretName: SIMULATOR,
    egress: [{ ...PODS_OF_SIMULATOR, port: 4100 }],
  }
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
