import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Read } from '../../charges/book.ts'
import { eventually } from '../../cluster.ts'
import type { Source } from '../install.ts'
import { namespace, RELEASE } from '../release.ts'
import { COUNT, LIMITS, PACING, PERSONALITIES, SHARES, TIME_SCALE } from './settings.ts'

/** The simulator in a separate release: an upgrade or a rollback of the platform must not stop the provider. */

const NAME = 'provider'
const PORT = 4100
const LABELS = {
  'app.kubernetes.io/name': 'simulator',
  'app.kubernetes.io/instance': NAME,
}
const SELECTOR = Object.entries(LABELS).map(([name, value]) => `${name}=${value}`)
const READY_LIMIT_MS = 120_000
const PAYMENTS_URL = `http://${RELEASE}-payments:4000`

export async function installSimulator({ helm, charts }: Source): Promise<void> {
  await helm.deploy(namespace, NAME, join(charts, 'simulator'), {
    values: {
      fullnameOverride: NAME,
      image: { tag: 'dev' },
      paymentsUrl: PAYMENTS_URL,
      timeScale: String(TIME_SCALE),
      personalityMix: PERSONALITIES,
      book: { maxCharges: 20 * COUNT },
      resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    },
  })
}

interface AccountFiles {
  readonly accounts: readonly { readonly name: string; readonly limits: object }[]
}

/**
 * Values of payments: the accounts at the simulator, its callbacks, and the pacing of calls.
 *
 * @param rate requests for money in a second, for each account
 */
export async function paymentsValues({ charts }: Source, rate = LIMITS.rate): Promise<object> {
  const file = await readFile(join(charts, 'simulator/files/providers.json'), 'utf8')
  const { accounts } = JSON.parse(file) as AccountFiles
  const own = accounts.flatMap((account) =>
    account.name in SHARES
      ? {
          ...account,
          baseUrl: `http://${NAME}:${PORT}`,
          callbackOrigin: PAYMENTS_URL,
          secretName: NAME,
          egress: [{ podSelector: { matchLabels: LABELS }, port: PORT }],
          limits: { ...account.limits, ...LIMITS, rate },
        }
      : [],
  )
  const traefik = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'traefik' } },
  }
  return {
    extraConfig: PACING,
    providers: { accounts: own },
    networkPolicy: { from: [traefik, { podSelector: { matchLabels: LABELS } }] },
  }
}

/** Removes MTN's limit of 10 queries a second from the simulator's accounts. */
export async function withoutQueryLimit(charts: string): Promise<void> {
  const path = join(charts, 'simulator/files/accounts.json')
  const accounts = JSON.parse(await readFile(path, 'utf8')) as Record<string, object[]>
  for (const list of Object.values(accounts)) {
    for (const account of list) Object.assign(account, { queriesPerSecond: 10_000 })
  }
  await writeFile(path, JSON.stringify(accounts))
}

export async function scaleSimulator(replicas: number): Promise<void> {
  await namespace.kubectl(['scale', `deployment/${NAME}`, `--replicas=${replicas}`])
  const options = { limitMs: READY_LIMIT_MS }
  await eventually('the simulator', () => assertScaled(replicas), options)
}

async function assertScaled(replicas: number) {
  const { status } = await namespace.get('deployment', NAME)
  const { readyReplicas = 0 } = status as { readyReplicas?: number }
  const pods = await namespace.list('pod', SELECTOR.join(','))
  if (readyReplicas !== replicas || pods.length !== replicas) {
    throw new Error(`${readyReplicas} of ${pods.length} pods are ready`)
  }
}

/** Reads the API of operators from inside of the pod, since no other client may. */
export const readSimulator: Read = async (path) => {
  const [pod] = await namespace.pods(SELECTOR.join(','))
  if (!pod) throw new Error('the simulator has no pod')
  const program = `
    const response = await fetch('http://127.0.0.1:${PORT}${path}')
    if (!response.ok) throw new Error(String(response.status))
    process.stdout.write(await response.text())`
  return JSON.parse(await namespace.node(pod, program)) as unknown
}
