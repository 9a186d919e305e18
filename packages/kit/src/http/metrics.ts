import { Controller, Get, Headers, Inject, Res } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Counter, Histogram, type Metric, Registry } from 'prom-client'
import { isSampled } from '../telemetry/tracing.js'
import { Public } from './access.js'
import { durationMs, METHODS, type RequestObserver } from './request.js'

/** Observes the duration of each request. Requests that match no route share one label value. */
export function measureRequests(registry: Registry): RequestObserver {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Request duration by route template, from the first byte read to the response sent, without `wait`; status 499: the client disconnected first',
    labelNames: ['method', 'route', 'status_code'],
    // The buckets include the thresholds of the service-level objectives: 0.1, 0.25, 0.5 and 1.
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
    registers: [],
    enableExemplars: true,
  })
  // Registered separately: with exemplars, prom-client's constructor accepts only an OpenMetrics registry.
  registry.registerMetric(duration)
  return (request, reply, status) => {
    const { method, routeOptions, span } = request
    const labels = {
      method: METHODS.has(method) ? method : 'other',
      route: routeOptions.url ?? 'unmatched',
      status_code: `${status}`,
    }
    const trace = isSampled(span) ? span.spanContext() : undefined
    const exemplarLabels = trace && { trace_id: trace.traceId, span_id: trace.spanId }
    duration.observe({ labels, value: durationMs(request, reply) / 1000, exemplarLabels } as never)
  }
}

/** Serves OpenMetrics, with exemplars, if the scraper accepts it; otherwise Prometheus' text format. */
@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(@Inject(Registry) private readonly registry: Registry) {}

  @Get()
  @Public()
  metrics(
    @Headers('accept') accept = '',
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    // Prometheus sends the media type with parameters; `accepts` would require an exact match.
    const isOpenMetrics = accept.includes('application/openmetrics-text')
    const registry = isOpenMetrics ? openMetrics(this.registry) : this.registry
    void reply.type(registry.contentType)
    return registry.metrics()
  }
}

/** Copies the counters: when prom-client writes OpenMetrics, it removes `_total` from a counter's name. */
function openMetrics(registry: Registry): Registry {
  const copy = new Registry()
  copy.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  for (const metric of registry.getMetricsAsArray() as unknown as Metric[]) {
    copy.registerMetric(metric instanceof Counter ? Object.create(metric) : metric)
  }
  return copy
}
