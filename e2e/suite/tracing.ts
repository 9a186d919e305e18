import { randomBytes } from 'node:crypto'
import { type CollectedSpan, readSpans } from '../../packages/testing/src/otlp.ts'
import { check } from '../checks.ts'
import { eventually, type Namespace } from '../cluster.ts'
import { exemplarsOf } from '../prometheus.ts'
import { createPayment, register, login, observedUserIds } from './http.ts'
import { secretsIn, leaksIn } from './logs.ts'
import { startNodePod } from './node-pod.ts'
import { type Platform, RELEASE } from './platform.ts'

/** One trace from the edge through both services, Redis and SQL, as received by a collector in the cluster. */

const NAME = 'collector'
const PORT = 4318
const LABELS = { app: NAME }
const PLATFORM_LABELS = { 'app.kubernetes.io/part-of': 'malipo' }

/** Values of a service that exports spans to this collector. */
export const TRACED_VALUES = {
  tracing: { endpoint: `http://${NAME}:${PORT}`, ratio: 0.1 },
  networkPolicy: { collector: [{ podSelector: { matchLabels: LABELS } }] },
}

/** Stores the bodies of POST requests and returns the latest 1,000 of them on GET. */
const PROGRAM = `
  const bodies = []
  require('node:http').createServer((request, response) => {
    if (request.method === 'GET') return response.end(JSON.stringify(bodies))
    const parts = []
    request.on('data', (part) => parts.push(part)).on('end', () => {
      bodies.push(Buffer.concat(parts).toString('base64'))
      if (bodies.length > 1000) bodies.shift()
      response.end()
    })
  }).listen(${PORT})`

export async function startCollector(namespace: Namespace): Promise<void> {
  await namespace.apply(
    {
      // The namespace denies all traffic that no policy allows.
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: NAME },
      spec: {
        podSelector: { matchLabels: LABELS },
        ingress: [
          { ports: [{ port: PORT }], from: [{ podSelector: { matchLabels: PLATFORM_LABELS } }] },
        ],
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
  await check('tracing: a request through the edge is one trace, including SQL and Redis', () =>
    oneTrace(platform),
  )
  await check('tracing: no span contains a secret or personal data', async () => {
    const spans = await spansIn(platform)
    const known = { ...(await secretsIn(platform.namespace)), user: observedUserIds() }
    const leaks = spans.flatMap((span) =>
      leaksIn(JSON.stringify(span), known).map((leak) => `${span.name}: ${leak}`),
    )
    if (leaks.length > 0) throw new Error([...new Set(leaks)].join('\n'))
    if (spans.length < MIN_SPANS) throw new Error(`only ${spans.length} spans`)
    return `${spans.length} spans`
  })
  await check('tracing: exemplars in Prometheus refer to traces of the collector', () =>
    exemplars(platform),
  )
}

/** Fewer spans indicate that spans are missing: earlier checks create far more. */
const MIN_SPANS = 50

async function oneTrace(platform: Platform): Promise<string> {
  const { client } = platform
  // A new token is not cached, so payments calls auth.
  const token = await login(client, await register(client))
  const [traceId, edge] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
  await createPayment(client, token, { traceparent: `00-${traceId}-${edge}-01` })
  return eventually('the trace', async () => {
    const spans = (await spansIn(platform)).filter((span) => span.traceId === traceId)
    const request = single(
      spans,
      ({ kind, service }) => kind === 'server' && service === 'payments',
    )
    const { 'http.route': route, 'http.response.status_code': status } = request.attributes
    if (route !== '/api/payments' || status !== 201)
      throw new Error(`${String(route)} ${String(status)}`)
    if (request.parentSpanId !== edge)
      throw new Error('the request span is not a child of the edge')
    const validation = single(spans, ({ kind, service }) => kind === 'server' && service === 'auth')
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
        throw new Error(`${service} has no span of ${system}`)
      }
    }
    if (!isDescendant(validation, request, spans)) {
      throw new Error('the span of auth is not a descendant of the request')
    }
    return `${spans.length} spans: ${spans.map(({ name }) => name).join(', ')}`
  })
}

function single(
  spans: readonly CollectedSpan[],
  is: (span: CollectedSpan) => boolean,
): CollectedSpan {
  const [found, ...more] = spans.filter(is)
  if (!found || more.length > 0)
    throw new Error(`${spans.filter(is).length} of ${spans.length} spans`)
  return found
}

function isDescendant(
  span: CollectedSpan,
  top: CollectedSpan,
  spans: readonly CollectedSpan[],
): boolean {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId)
  return parent !== undefined && (parent === top || isDescendant(parent, top, spans))
}

/** The spans that the collector has received. */
async function spansIn({ namespace }: Platform): Promise<CollectedSpan[]> {
  const program = `process.stdout.write(await (await fetch('http://127.0.0.1:${PORT}')).text())`
  const bodies = JSON.parse(await namespace.node(NAME, program)) as string[]
  return bodies.flatMap((body) => readSpans(Buffer.from(body, 'base64')))
}

async function exemplars(platform: Platform): Promise<string> {
  const series = `http_request_duration_seconds_bucket{namespace="${platform.namespace.name}",release="${RELEASE}"}`
  return eventually('exemplars', async () => {
    const traceIds = (await exemplarsOf(series, EXEMPLARS_S)).map(({ trace_id }) => trace_id)
    const collected = new Set((await spansIn(platform)).map(({ traceId }) => traceId))
    const found = traceIds.filter((traceId) => traceId !== undefined && collected.has(traceId))
    if (found.length === 0) throw new Error(`none of ${traceIds.length}`)
    return `${found.length} of ${traceIds.length}`
  })
}

const EXEMPLARS_S = 600
