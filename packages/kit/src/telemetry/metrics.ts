import { Controller, Get, Headers, Inject, Res } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { asOpenMetrics, wantsOpenMetrics } from './open-metrics.js'
import { Public } from '../http/access.js'
import { METHODS } from '../http/request.js'
import type { RequestObserver } from '../http/request-observer.js'
import { exemplar, isTracing } from './tracing.js'

/**
 * What a process tells Prometheus of itself. Every label has few values, which are known beforehand: no
 * reference, phone, email, user or path that somebody else chose, so the number of series has a bound.
 */

/** A registry of its own for each app, with the runtime's figures; two apps may share a process. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

/** Says which release runs; joined to anything else by the labels of the target. */
export function registerBuildInfo(registry: Registry, { version }: { version: string }) {
  new Gauge({
    name: 'build_info',
    help: 'Always 1: the release that runs, by its labels',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.version }, 1)
}

/**
 * A counter by one label whose values are known. Each is there from the start at 0, or else a rate would
 * not see its first event; and counting looks up no labels.
 */
export function countBy<Value extends string>(
  registry: Registry,
  { name, help, label }: { name: string; help: string; label: string },
  values: readonly Value[],
): Readonly<Record<Value, Pick<Counter.Internal, 'inc'>>> {
  const counter = new Counter({ name, help, labelNames: [label], registers: [registry] })
  const counters = values.map((value) => {
    counter.inc({ [label]: value }, 0)
    return [value, counter.labels(value)] as const
  })
  return Object.fromEntries(counters) as Record<Value, Counter.Internal>
}

/** A gauge that is set by a look at the thing itself, whenever somebody reads the metrics. */
export function observableGauge<Label extends string = never>(
  registry: Registry,
  about: { name: string; help: string; labelNames?: Label[] },
  look: (gauge: Gauge<Label>) => void | Promise<void>,
): Gauge<Label> {
  return new Gauge<Label>({
    ...about,
    registers: [registry],
    collect() {
      return look(this)
    },
  })
}

/** Seconds; bounds of the objectives are among them: 0.1, 0.25, 0.5 and 1. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

/** Times every request by method, route template and status; unmatched paths share one label. */
export function measureRequests(registry: Registry): RequestObserver {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request’s first byte read to its answer sent, by route template; 499: its client went away before',
    labelNames: ['method', 'route', 'status_code'],
    buckets: BUCKETS,
    registers: [],
    enableExemplars: isTracing(),
  })
  // Its constructor would have a registry of the one format that knows exemplars.
  registry.registerMetric(duration)
  const known = new Map<string, Histogram.Internal<string>>()
  return (request, reply, status) => {
    const method = METHODS.has(request.method) ? request.method : 'other'
    const route = request.routeOptions.url ?? 'unmatched'
    const key = `${method} ${status} ${route}`
    let found = known.get(key)
    if (!found) known.set(key, (found = duration.labels(method, route, `${status}`)))
    const seconds = reply.elapsedTime / 1000
    const exemplarLabels = exemplar(request)
    if (exemplarLabels) {
      const labels = { method, route, status_code: `${status}` }
      duration.observe({ labels, value: seconds, exemplarLabels } as never)
    } else found.observe(seconds)
  }
}

@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(@Inject(Registry) private readonly registry: Registry) {}

  @Get()
  @Public()
  metrics(
    @Headers('accept') accept: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const registry = wantsOpenMetrics(accept) ? asOpenMetrics(this.registry) : this.registry
    void reply.type(registry.contentType)
    return registry.metrics()
  }
}
