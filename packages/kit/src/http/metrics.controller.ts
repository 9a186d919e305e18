import { Controller, Get, Headers, Inject, Res } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Counter, type Metric, Registry } from 'prom-client'
import { Public } from './access.js'

/**
 * Metrics in Prometheus' text format, or in OpenMetrics to a scraper that asks for it: only that format has
 * exemplars. Prometheus asks with parameters (`version`, `escaping`) that `accepts` would compare for
 * equality, so the media type alone decides.
 */
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
    const isOpenMetrics = accept.includes('application/openmetrics-text')
    const registry = isOpenMetrics ? openMetrics(this.registry) : this.registry
    void reply.type(registry.contentType)
    return registry.metrics()
  }
}

/** prom-client cuts `_total` off a counter's name when it writes OpenMetrics, so counters are copied. */
function openMetrics(registry: Registry): Registry {
  const copy = new Registry()
  copy.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  for (const metric of registry.getMetricsAsArray() as unknown as Metric[]) {
    copy.registerMetric(metric instanceof Counter ? Object.create(metric) : metric)
  }
  return copy
}
