import { hash } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { eventually } from '../../cluster.ts'
import { subjectOf } from '../../notifications/receiver.ts'
import type { ReceivedTry } from '../../notifications/verdict.ts'
import { namespace } from '../release.ts'

/** A merchant's server in the cluster: a pod with the simulator's image, whose Node.js runs another program. */

const NAME = 'merchant'
const PORT = 8080
const IMAGE = 'malipo/simulator:dev'
const LABELS = { 'app.kubernetes.io/name': NAME }
const PAGE = 500

/** How the server answers, by path. */
export const ANSWERS = {
  accepts: '/200',
  /** 404 to the first two tries of each event: 500 would open the circuit. */
  failsFirst: '/404-twice',
  /** 500 to every try: the deliveries wait. */
  neverAccepts: '/500',
  /** 404 to every try, which opens no circuit. */
  rejects: '/404',
} as const

export type AnswerName = keyof typeof ANSWERS

/** The tries are in memory: the pod must not restart. */
const PROGRAM = `
const { createServer } = require('node:http')
const tries = []
const counts = new Map()
function statusFor(path, id) {
  const count = (counts.get(path + id) ?? 0) + 1
  counts.set(path + id, count)
  if (path === '/404-twice') return count <= 2 ? 404 : 200
  return Number(path.slice(1))
}
createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost')
  if (request.method === 'GET') {
    const from = Number(searchParams.get('from'))
    return response.end(JSON.stringify(tries.slice(from, from + ${PAGE})))
  }
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    const id = request.headers['webhook-id']
    const [, path, endpoint] = /^(\\/[^/]+)\\/(.*)$/.exec(pathname)
    const status = statusFor(path, endpoint + id)
    const { 'webhook-timestamp': timestamp, 'webhook-signature': signature } = request.headers
    const body = Buffer.concat(parts).toString()
    tries.push({ endpoint, id, timestamp, signature, body, status, at: Date.now() })
    response.writeHead(status).end()
  })
}).listen(${PORT})
process.on('SIGTERM', () => process.exit())
`

export async function installReceiver(): Promise<void> {
  const container = {
    name: NAME,
    image: IMAGE,
    imagePullPolicy: 'IfNotPresent',
    args: ['--eval', PROGRAM],
    resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  }
  await namespace.apply(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: NAME, labels: LABELS },
      spec: { containers: [container], automountServiceAccountToken: false },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: NAME },
      spec: { selector: LABELS, ports: [{ port: PORT }] },
    },
    // The platform's policies admit nothing that is not named.
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: NAME },
      spec: { podSelector: { matchLabels: LABELS }, policyTypes: ['Ingress'], ingress: [{}] },
    },
  )
  await eventually('the server of the merchants', () => page(0), { limitMs: 120_000 })
}

/** Names are resolved as absolute ones. */
const HOST = `${NAME}.${namespace.name}.svc.cluster.local:${PORT}`

/** Values of payments: notifications reach the server, which has a private address. */
export const RECEIVER_VALUES = {
  notifications: { allowHosts: [HOST] },
  extraEgress: [
    { to: [{ podSelector: { matchLabels: LABELS } }], ports: [{ port: PORT, protocol: 'TCP' }] },
  ],
}

/** @param key distinguishes endpoints with the same answers */
export function urlOf(name: AnswerName, key: string): string {
  return `http://${HOST}${ANSWERS[name]}/${key}`
}

interface RawTry {
  /** The key of the endpoint's URL. */
  readonly endpoint: string
  readonly id: string
  readonly timestamp: string
  readonly signature: string
  readonly body: string
  readonly status: number
  readonly at: number
}

/** All tries so far. @param secrets by the keys of the endpoints' URLs */
export async function readTries(
  secrets: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, readonly ReceivedTry[]>> {
  const all: RawTry[] = []
  for (;;) {
    const found = await page(all.length)
    all.push(...found)
    if (found.length < PAGE) break
  }
  const byEndpoint = Map.groupBy(all, ({ endpoint }) => endpoint)
  return new Map(
    [...byEndpoint].map(([key, own]) => [key, own.map((raw) => asTry(raw, secrets.get(key)))]),
  )
}

async function page(from: number): Promise<RawTry[]> {
  const program = `
    const response = await fetch('http://127.0.0.1:${PORT}/?from=${from}')
    process.stdout.write(await response.text())`
  return JSON.parse(await namespace.node(NAME, program)) as RawTry[]
}

function asTry({ id, timestamp, signature, body, status, at }: RawTry, secret = ''): ReceivedTry {
  return {
    eventId: id,
    at,
    bodyHash: hash('sha256', body, 'hex'),
    isVerified: isSigned(secret, { id, timestamp, signature, body }),
    status,
    ...subjectOf(body),
  }
}

/** `verify` of the library rejects times that are minutes ago, and tries are read at the end of a row. */
function isSigned(
  secret: string,
  { id, timestamp, signature, body }: Pick<RawTry, 'id' | 'timestamp' | 'signature' | 'body'>,
): boolean {
  if (secret === '') return false
  return signature === new Webhook(secret).sign(id, new Date(Number(timestamp) * 1_000), body)
}
