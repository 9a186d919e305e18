import { Histogram, type Registry } from 'prom-client'
import { isSampled } from '../telemetry/tracing.js'
import { METHODS, type Request } from './request.js'
import type { RequestObserver } from './request-observer.js'

/** Seconds. They include the bounds of the service-level objectives: 0.1, 0.25, 0.5 and 1. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

/** Observes the duration of each request. Paths that match no route share one label. */
export function measureRequests(registry: Registry): RequestObserver {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Request duration by route template, from the first byte read to the response sent; status 499: the client disconnected first',
    labelNames: ['method', 'route', 'status_code'],
    buckets: BUCKETS,
    registers: [],
    enableExemplars: true,
  })
  // prom-client's constructor rejects exemplars unless the registry always uses the OpenMetrics format.
  registry.registerMetric(duration)
  return (request, reply, status) => {
    const labels = {
      method: METHODS.has(request.method) ? request.method : 'other',
      route: request.routeOptions.url ?? 'unmatched',
      status_code: `${status}`,
    }
    const value = reply.elapsedTime / 1000
    duration.observe({ labels, value, exemplarLabels: exemplar(request) } as never)
  }
}

/** Links a bucket to the trace of a request in it, if that trace is recorded. */
function exemplar({ span }: Request) {
  if (!isSampled(span)) return undefined
  const { traceId, spanId } = span.spanContext()
  return { trace_id: traceId, span_id: spanId }
}
