import { randomBytes } from 'node:crypto'
import { type CollectedSpan, readSpans } from '../../packages/testing/src/otlp.ts'
import { check } from '../checks.ts'
import { eventually, type Namespace } from '../cluster.ts'
import { exemplarsOf } from '../prometheus.ts'
import { pay, register, tokenOf, usersSeen } from './http.ts'
import { secretsIn, toldIn } from './logs.ts'
import { startNodePod } from './node-pod.ts'
import { type Platform, RELEASE } from './platform.ts'

/** One trace from the edge through both services, Redis and SQL, as a collector in the cluster is told of it. */

const NAME = 'collector'
const PORT = 4318
const LABELS = { app: NAME }
const PART = { 'app.kubernetes.io/part-of': 'malipo' }

/** Values of a service that tells this collector. */
export const TRACED = {
  tracing: { endpoint: `http://${NAME}:${PORT}`, ratio: 0.1 },
  networkPolicy: { collector: [{ podSelector: { matchLabels: LABELS } }] },
}

/** Takes what is posted and gives all of it to whoever gets it; the newest, for memory has an end. */
const PROGRAM = `
  const bodies = []
  require('node:http').createServer((request, answer) => {
    if (request.method === 'GET') return answer.end(JSON.stringify(bodies))
    const parts = []
    request.on('data', (part) => parts.push(part)).on('end', () => {
      bodies.push(Buffer.concat(parts).toString('base64'))
      if (bodies.length > 1000) bodies.shift()
      answer.end()
    })
  }).listen(${PORT})`

export async function startCollector(namespace: Namespace): Promise<void> {
  await namespace.apply(
    {
      // Nothing in a release's namespace is reached that no policy names.
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: NAME },
      spec: {
        podSelector: { matchLabels: LABELS },
        ingress: [{ ports: [{ port: PORT }], from: [{ podSelector: { matchLabels: PART } }] }],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: NAME },
      spec: { selector: LABELS, ports: [{ port: PORT }] },
    },
  )
  await startNodePod(namespace, { name: NAME, labels: LABELS, program: PROGRAM, port: PORT })
}

export async function checkTracing(platform: Platform): Promise<void> {
  await check('tracing: a request through the edge is one trace, to SQL and Redis', () =>
    oneTrace(platform),
  )
  await check('tracing: no span tells a secret, or who somebody is', async () => {
    const spans = await spansIn(platform)
    const known = { ...(await secretsIn(platform.namespace)), user: usersSeen() }
    const told = spans.flatMap((span) =>
      toldIn(JSON.stringify(span), known).map((what) => `${span.name}: ${what}`),
    )
    if (told.length > 0) throw new Error([...new Set(told)].join('\n'))
    if (spans.length < MANY) throw new Error(`only ${spans.length} spans`)
    return `${spans.length} spans`
  })
  await check('tracing: exemplars in Prometheus lead to traces of the collector', () =>
    exemplars(platform),
  )
}

/** The traffic before makes far more. */
const MANY = 50

async function oneTrace(platform: Platform): Promise<string> {
  const { client } = platform
  // Nobody has asked for this token yet, so auth is.
  const token = await tokenOf(client, await register(client))
  const [traceId, edge] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
  await pay(client, token, { traceparent: `00-${traceId}-${edge}-01` })
  return eventually('the trace', async () => {
    const spans = (await spansIn(platform)).filter((span) => span.traceId === traceId)
    const request = theOne(
      spans,
      ({ kind, service }) => kind === 'server' && service === 'payments',
    )
    const { 'http.route': route, 'http.response.status_code': status } = request.attributes
    if (route !== '/api/payments' || status !== 201)
      throw new Error(`${String(route)} ${String(status)}`)
    if (request.parentSpanId !== edge) throw new Error('it is no part of what called')
    const validation = theOne(spans, ({ kind, service }) => kind === 'server' && service === 'auth')
    for (const [service, system] of [
      ['payments', 'redis'],
      ['payments', 'postgresql'],
      ['auth', 'postgresql'],
    ] as const) {
      if (
        !spans.some(
          (span) => span.service === service && span.attributes['db.system.name'] === system,
        )
      ) {
        throw new Error(`${service} tells nothing of ${system}`)
      }
    }
    if (!isBelow(validation, request, spans)) throw new Error('auth is no part of the request')
    return `${spans.length} spans: ${spans.map(({ name }) => name).join(', ')}`
  })
}

function theOne(
  spans: readonly CollectedSpan[],
  is: (span: CollectedSpan) => boolean,
): CollectedSpan {
  const [found, ...more] = spans.filter(is)
  if (!found || more.length > 0)
    throw new Error(`${spans.filter(is).length} of ${spans.length} spans`)
  return found
}

function isBelow(
  span: CollectedSpan,
  top: CollectedSpan,
  spans: readonly CollectedSpan[],
): boolean {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId)
  return parent !== undefined && (parent === top || isBelow(parent, top, spans))
}

/** What the collector has been told so far. */
async function spansIn({ namespace }: Platform): Promise<CollectedSpan[]> {
  const program = `process.stdout.write(await (await fetch('http://127.0.0.1:${PORT}')).text())`
  const bodies = JSON.parse(await namespace.node(NAME, program)) as string[]
  return bodies.flatMap((body) => readSpans(Buffer.from(body, 'base64')))
}

async function exemplars(platform: Platform): Promise<string> {
  const series = `http_request_duration_seconds_bucket{namespace="${platform.namespace.name}",release="${RELEASE}"}`
  return eventually('exemplars', async () => {
    const told = (await exemplarsOf(series, EXEMPLARS_S)).map(({ trace_id }) => trace_id)
    const kept = new Set((await spansIn(platform)).map(({ traceId }) => traceId))
    const known = told.filter((traceId) => traceId !== undefined && kept.has(traceId))
    if (known.length === 0) throw new Error(`none of ${told.length}`)
    return `${known.length} of ${told.length}`
  })
}

const EXEMPLARS_S = 600
